"""Names of months and days in a few languages. An unknown language is an error, never English."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from llmspell.errors import InvalidInput


class Locale(NamedTuple):
    """A language's words for dates; weeks begin on Monday in the lists of days."""

    code: str
    months: tuple[str, ...]
    short_months: tuple[str, ...]
    days: tuple[str, ...]
    short_days: tuple[str, ...]
    halves: tuple[str, str]
    ordinal: Callable[[int], str]


def _english(number: int) -> str:
    if 10 < number % 100 < 14:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def _locale(
    code: str, months: str, short: str, days: str, short_days: str,
    ordinal: Callable[[int], str], halves: tuple[str, str] = ("AM", "PM"),
) -> Locale:  # fmt: skip
    return Locale(
        code,
        tuple(months.split()),
        tuple(short.split()),
        tuple(days.split()),
        tuple(short_days.split()),
        halves,
        ordinal,
    )


LOCALES: Final = {
    locale.code: locale
    for locale in (
        _locale(
            "en",
            "January February March April May June July August September October November December",
            "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
            "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
            "Mon Tue Wed Thu Fri Sat Sun",
            _english,
        ),
        _locale(
            "de",
            "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
            "Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez.",
            "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
            "Mo. Di. Mi. Do. Fr. Sa. So.",
            lambda number: f"{number}.",
        ),
        _locale(
            "fr",
            "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
            "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
            "lundi mardi mercredi jeudi vendredi samedi dimanche",
            "lun. mar. mer. jeu. ven. sam. dim.",
            lambda number: "1er" if number == 1 else str(number),
        ),
        _locale(
            "es",
            "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre "
            "diciembre",
            "ene feb mar abr may jun jul ago sept oct nov dic",
            "lunes martes miércoles jueves viernes sábado domingo",
            "lun mar mié jue vie sáb dom",
            lambda number: f"{number}.º",
            ("a. m.", "p. m."),
        ),
        _locale(
            "it",
            "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre "
            "dicembre",
            "gen feb mar apr mag giu lug ago set ott nov dic",
            "lunedì martedì mercoledì giovedì venerdì sabato domenica",
            "lun mar mer gio ven sab dom",
            lambda number: f"{number}º",
        ),
        _locale(
            "pt",
            "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro "
            "dezembro",
            "jan. fev. mar. abr. mai. jun. jul. ago. set. out. nov. dez.",
            "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
            "seg. ter. qua. qui. sex. sáb. dom.",
            lambda number: f"{number}º",
        ),
        _locale(
            "nl",
            "januari februari maart april mei juni juli augustus september oktober november "
            "december",
            "jan. feb. mrt. apr. mei jun. jul. aug. sep. okt. nov. dec.",
            "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
            "ma di wo do vr za zo",
            lambda number: f"{number}e",
        ),
    )
}


def find_locale(name: str) -> Locale:
    """The language of `en`, `en-US`, `de_DE.UTF-8`. Raises `InvalidInput`."""
    code = name.strip().lower().replace("_", "-").split(".")[0].split("-")[0]
    found = LOCALES.get(code)
    if found is None:
        known = ", ".join(LOCALES)
        raise InvalidInput(f"locale {name[:40]!a} is not known", hint=f"known are {known}")
    return found

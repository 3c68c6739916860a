"""date_time_handler: zones, calendars, languages, and dates that are none."""

from __future__ import annotations

from typing import Any

import pytest

from llmspell.errors import InvalidInput
from tests.tools.support import use, use_whole


def dates(operation: str, **given: Any) -> Any:
    return use("date_time_handler", {"operation": operation, **given})


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2025-01-20", "2025-01-20T00:00:00Z"),
        ("20250120T153000Z", "2025-01-20T15:30:00Z"),
        ("2025-01-20 15:30", "2025-01-20T15:30:00Z"),
        ("2025-01-20T15:30:00.123456+02:00", "2025-01-20T15:30:00.123456+02:00"),
        ("2025-01-20T24:00", "2025-01-21T00:00:00Z"),
        ("2025-W04-1", "2025-01-20T00:00:00Z"),
        ("2025-020", "2025-01-20T00:00:00Z"),
        ("Mon, 20 Jan 2025 15:30:00 GMT", "2025-01-20T15:30:00Z"),
        ("January 20, 2025 3:30 PM", "2025-01-20T15:30:00Z"),
        ("20th January 2025", "2025-01-20T00:00:00Z"),
        (1737387000, "2025-01-20T15:30:00Z"),
        (1737387000123, "2025-01-20T15:30:00.123Z"),
        ("1737387000", "2025-01-20T15:30:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
    ],
)
def test_reading(text: Any, iso: str) -> None:
    assert dates("parse", date=text) == iso


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "2025-02-30", "2025-13-01", "2025-366", "2025-W60-1", "01/02/2025",
     "2025-01-20T25:00", 1e300, "9" * 30, "Foo 20, 2025", "13:00", "2025-01-20T10:00+99:00"],
)  # fmt: skip
def test_what_is_no_date_is_refused(text: Any) -> None:
    with pytest.raises(InvalidInput):
        dates("parse", date=text)


def test_an_ambiguous_date_is_asked_about() -> None:
    with pytest.raises(InvalidInput, match="two dates") as caught:
        dates("parse", date="01/02/2025")
    assert "input_format" in str(caught.value.hint)
    iso = dates("parse", date="01/02/2025", input_format="DD/MM/YYYY")
    assert iso == "2025-02-01T00:00:00Z"


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ("YYYY-MM-DD HH:mm:ss.SSS", "2025-01-05 15:04:09.007"),
        ("dddd, MMMM Do YY, h:mm a", "Sunday, January 5th 25, 3:04 pm"),
        ("[Q]Q [week] WW [of] GGGG, DDDD", "Q1 week 01 of 2025, 005"),
        ("X x Z ZZ", "1736089449 1736089449007 +00:00 +0000"),
        ("date", "2025-01-05"),
        ("http", "Sun, 05 Jan 2025 15:04:09 GMT"),
        ("", ""),
        ("%1000000000d", "%10000000000"),
    ],
)
def test_writing(form: str, shown: str) -> None:
    assert dates("format", date="2025-01-05T15:04:09.007Z", format=form) == shown


def test_languages() -> None:
    when = "2025-03-05T10:00:00Z"
    assert dates("format", date=when, format="dddd, D. MMMM", locale="de-DE") == "Mittwoch, 5. März"
    assert dates("format", date=when, format="dddd D MMMM", locale="fr") == "mercredi 5 mars"
    read = dates("parse", date="5. März 2025", input_format="D. MMMM YYYY", locale="de")
    assert read == "2025-03-05T00:00:00Z"
    with pytest.raises(InvalidInput, match="locale") as caught:
        dates("format", date=when, locale="tlh")
    assert "known are en" in str(caught.value.hint)


def test_zones() -> None:
    when = "2025-07-01T12:00:00Z"
    assert dates("convert", date=when, timezone="Asia/Kolkata") == "2025-07-01T17:30:00+05:30"
    assert dates("convert", date=when, timezone="-03:30") == "2025-07-01T08:30:00-03:30"
    local = dates(
        "convert",
        date="2025-07-01 12:00",
        from_timezone="America/New_York",
        timezone="Europe/Berlin",
    )
    assert local == "2025-07-01T18:00:00+02:00"
    assert dates("convert", date=when, timezone="europe/berlin").endswith("+02:00")
    with pytest.raises(InvalidInput) as caught:
        dates("convert", date=when, timezone="Berlin")
    assert caught.value.hint == "did you mean Europe/Berlin?"
    for name in ("../../etc/passwd", "/etc/localtime", "Europe", "\0", "+99", "posix/Europe/Rome"):
        with pytest.raises(InvalidInput):
            dates("convert", date=when, timezone=name)
    assert "Europe/Berlin" in dates("list_timezones", pattern="berlin")


def test_a_time_that_clocks_leap_over_becomes_real() -> None:
    shown = dates("parse", date="2025-03-30 02:30", timezone="Europe/Berlin")
    assert shown == "2025-03-30T03:30:00+02:00"


def test_a_time_that_clocks_repeat_can_be_chosen() -> None:
    given = {"date": "2025-10-26 02:30", "timezone": "Europe/Berlin"}
    assert dates("parse", **given) == "2025-10-26T02:30:00+02:00"
    assert dates("parse", ambiguous="later", **given) == "2025-10-26T02:30:00+01:00"


def test_days_move_on_the_calendar_and_hours_in_time() -> None:
    given = {"date": "2025-03-29T12:00:00+01:00", "timezone": "Europe/Berlin"}
    assert dates("add", amount=1, unit="day", **given) == "2025-03-30T12:00:00+02:00"
    assert dates("add", amount=24, unit="hours", **given) == "2025-03-30T13:00:00+02:00"


@pytest.mark.parametrize(
    ("start", "more", "result"),
    [
        ("2024-02-29", {"amount": 1, "unit": "year"}, "2025-02-28T00:00:00Z"),
        ("2025-01-31", {"duration": "P1M1DT2H"}, "2025-03-01T02:00:00Z"),
        ("2025-01-31", {"duration": {"weeks": 1, "hours": -1}}, "2025-02-06T23:00:00Z"),
        ("2025-01-01", {"amount": -1, "unit": "ms"}, "2024-12-31T23:59:59.999Z"),
        ("2025-01-01", {"amount": 1.5, "unit": "days"}, "2025-01-02T12:00:00Z"),
        ("2025-05-15", {"amount": 1, "unit": "quarter"}, "2025-08-15T00:00:00Z"),
    ],
)
def test_adding(start: str, more: dict[str, Any], result: str) -> None:
    assert dates("add", date=start, **more) == result


def test_subtracting_and_bounds() -> None:
    assert dates("subtract", date="2025-03-31", amount=1, unit="month") == "2025-02-28T00:00:00Z"
    assert dates("start_of", date="2025-05-15T10:20:30Z", unit="week") == "2025-05-12T00:00:00Z"
    assert dates("end_of", date="2025-05-15", unit="quarter") == "2025-06-30T23:59:59.999Z"


@pytest.mark.parametrize(
    "more",
    [
        {"amount": 1e12, "unit": "years"}, {"amount": 1e12, "unit": "seconds"},
        {"amount": 9000, "unit": "years"}, {"amount": 1, "unit": "fortnights"}, {},
        {"amount": 0.5, "unit": "months"}, {"duration": "P"}, {"duration": "1 day"},
    ],
)  # fmt: skip
def test_RS_23_adding_refuses(more: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        dates("add", date="2025-01-01", **more)


def test_the_ends_of_time_are_typed_errors() -> None:
    for operation, given in (
        ("convert", {"date": "9999-12-31T23:59:59Z", "timezone": "Asia/Tokyo"}),
        ("convert", {"date": "0001-01-01", "timezone": "America/Lima", "from_timezone": "UTC"}),
        ("end_of", {"date": "9999-12-31", "unit": "year"}),
        ("diff", {"date": "0001-01-01T00:00+14:00", "other": "9999-12-31"}),
    ):
        with pytest.raises(InvalidInput):
            dates(operation, **given)


def test_differences() -> None:
    output = use_whole(
        "date_time_handler",
        {"operation": "diff", "date": "2024-01-31", "other": "2025-03-01T12:30:00Z",
         "unit": "months"},
    )  # fmt: skip
    assert output["result"] == 13
    assert output["metadata"]["text"] == "1 year, 1 month, 1 day"
    back = dates("diff", date="2025-03-01", other="2024-03-01", unit="years")
    assert back == -1
    assert dates("diff", date="2025-01-01", other="2025-01-01T12:00Z", unit="days") == 0.5
    assert dates("compare", date="2025-01-01", other="2025-01-02") == -1


def test_info() -> None:
    info = dates("info", date="2024-02-29T12:00:00Z", timezone="Europe/Berlin")
    assert (info["weekday_name"], info["week"], info["day_of_year"]) == ("Thursday", 9, 60)
    assert info["is_leap_year"] and info["days_in_month"] == 29 and info["offset"] == "+01:00"

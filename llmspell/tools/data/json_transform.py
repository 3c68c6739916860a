"""Steps that reshape a JSON value: pick, omit, rename, map, filter, flatten and their like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from llmspell.errors import InvalidInput
from llmspell.tools.checking import compile_check
from llmspell.tools.data.json_path import is_single, query
from llmspell.tools.json_changes import apply, same
from llmspell.tools.naming import near, snake
from llmspell.tools.schema import (
    Schema,
    anything,
    array,
    boolean,
    enum,
    integer,
    mapping,
    record,
    string,
    union,
)

ENTRIES_MAX: Final = 200_000
_MISSING: Final = object()


def find(value: Any, path: str, default: Any = None) -> Any:
    """What a path names: one value, or a list when it can name several."""
    found = [node.value for node in query(value, path)]
    if is_single(path):
        return found[0] if found else default
    return found


def _each(value: Any, act: Callable[[dict[str, Any]], Any], step: str) -> Any:
    if isinstance(value, dict):
        return act(value)
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return [act(item) for item in value]
    raise InvalidInput(f"{step} needs an object or a list of objects", code=2009)


def _pick(value: Any, argument: Any) -> Any:
    names = dict.fromkeys(argument)
    return _each(value, lambda item: {name: item[name] for name in names if name in item}, "pick")


def _omit(value: Any, argument: Any) -> Any:
    names = frozenset(argument)
    return _each(
        value, lambda item: {key: each for key, each in item.items() if key not in names}, "omit"
    )


def _rename(value: Any, argument: Any) -> Any:
    return _each(
        value,
        lambda item: {argument.get(key, key): each for key, each in item.items()},
        "rename",
    )


def _map(value: Any, argument: Any) -> Any:
    return _each(
        value, lambda item: {name: find(item, path) for name, path in argument.items()}, "map"
    )


def _set(value: Any, argument: Any) -> Any:
    return apply(
        value, [{"op": "add", "path": path, "value": each} for path, each in argument.items()]
    )


def _filter(value: Any, argument: Any) -> Any:
    if not isinstance(value, list):
        raise InvalidInput("filter needs a list", code=2009)
    return [node.value for node in query(value, f"$[?({argument})]")]


def _sort(value: Any, argument: Any) -> Any:
    if not isinstance(value, list):
        raise InvalidInput("sort needs a list", code=2009)
    path = argument.get("by", "$")
    return sorted(
        value, key=lambda item: sort_key(find(item, path)), reverse=argument["order"] == "desc"
    )


def sort_key(value: Any) -> tuple[int, Any]:
    """An order over values of mixed kinds: nothing, false and true, numbers, texts, the rest."""
    if value is None:
        return (0, 0)
    if isinstance(value, bool):
        return (1, value)
    if isinstance(value, int | float):
        return (2, value)
    if isinstance(value, str):
        return (3, value)
    return (4, 0)


def _sort_keys(value: Any, _: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sort_keys(value[key], _) for key in sorted(value)}
    return [_sort_keys(item, _) for item in value] if isinstance(value, list) else value


def _flatten(value: Any, argument: Any) -> Any:
    separator = argument["separator"]
    result: dict[str, Any] = {}

    def walk(part: Any, prefix: str) -> None:
        entries = (
            part.items()
            if isinstance(part, dict)
            else enumerate(part)
            if isinstance(part, list) and argument["lists"]
            else ()
        )
        if not part or not isinstance(part, dict | list) or not entries:
            result[prefix] = part
            if len(result) > ENTRIES_MAX:
                raise InvalidInput(f"over {ENTRIES_MAX} entries")
            return
        for key, item in entries:
            walk(item, f"{prefix}{separator}{key}" if prefix else str(key))

    if not isinstance(value, dict | list):
        raise InvalidInput("flatten needs an object or a list", code=2009)
    walk(value, "")
    return {} if result.keys() == {""} else result


def _unflatten(value: Any, argument: Any) -> Any:
    if not isinstance(value, dict):
        raise InvalidInput("unflatten needs an object", code=2009)
    result: dict[str, Any] = {}
    for key, item in value.items():
        steps = key.split(argument["separator"])
        if len(steps) > 40:
            raise InvalidInput("unflatten: a key has over 40 steps")
        holder = result
        for step in steps[:-1]:
            inner = holder.setdefault(step, {})
            if not isinstance(inner, dict):
                raise InvalidInput(f"unflatten: {key[:80]} lies within another value", code=2009)
            holder = inner
        holder[steps[-1]] = item
    return _with_lists(result)


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _with_lists(item) for key, item in value.items()}
    if inner and list(inner) == [str(index) for index in range(len(inner))]:
        return list(inner.values())
    return inner


def _group(value: Any, argument: Any) -> Any:
    if not isinstance(value, list):
        raise InvalidInput("group_by needs a list", code=2009)
    groups: dict[str, list[Any]] = {}
    for item in value:
        key = find(item, argument)
        groups.setdefault(key if isinstance(key, str) else _word(key), []).append(item)
    return groups


def _word(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)[:1_000]


def _unique(value: Any, argument: Any) -> Any:
    if not isinstance(value, list):
        raise InvalidInput("unique needs a list", code=2009)
    kept: list[Any] = []
    keys: list[Any] = []
    plain: set[tuple[bool, Any]] = set()
    for item in value:
        key = find(item, argument.get("by", "$"))
        if isinstance(key, dict | list):
            if len(keys) > 2_000:
                raise InvalidInput("unique compares at most 2000 objects or lists")
            if any(same(key, other) for other in keys):
                continue
            keys.append(key)
        else:
            # True and 1 are equal in Python and are not in JSON.
            known = (isinstance(key, bool), key)
            if known in plain:
                continue
            plain.add(known)
        kept.append(item)
    return kept


def _without_nulls(value: Any, _: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item, _) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item, _) for item in value if item is not None]
    return value


_NAMES: Final = array("", string("", max_length=1_000), max_items=10_000)
_PATHS: Final = mapping("", string("", max_length=1_000), max_items=10_000)
_BY: Final = {"by": string("", max_length=1_000)}

STEPS: Final[Mapping[str, tuple[Schema, Callable[[Any, Any], Any]]]] = {
    "select": (string("", max_length=1_000), find),
    "pick": (_NAMES, _pick),
    "omit": (_NAMES, _omit),
    "rename": (_PATHS, _rename),
    "map": (_PATHS, _map),
    "set": (mapping("", anything(""), max_items=10_000), _set),
    "filter": (string("", max_length=900), _filter),
    "sort": (record("", {**_BY, "order": enum("", ("asc", "desc"), default="asc")}), _sort),
    "sort_keys": (union("", (boolean(""), record("", {}))), _sort_keys),
    "flatten": (record("", {"separator": string("", default=".", min_length=1, max_length=10),
                            "lists": boolean("", default=True)}), _flatten),
    "unflatten": (record("", {"separator": string("", default=".", min_length=1, max_length=10)}),
                  _unflatten),
    "group_by": (string("", max_length=1_000), _group),
    "unique": (record("", _BY), _unique),
    "limit": (integer("", 0, 10**9), lambda value, count: value[:count]
              if isinstance(value, list) else value),
    "remove_nulls": (union("", (boolean(""), record("", {}))), _without_nulls),
}  # fmt: skip
"""Each step's form and act. Paths are JSONPath or dotted; `set` takes JSON Pointers."""

_CHECKS: Final = {name: compile_check(schema) for name, (schema, _) in STEPS.items()}


def transform(value: Any, steps: list[Any]) -> Any:
    """The value after all steps. Raises `InvalidInput` naming the step."""
    for index, given in enumerate(steps):
        place = f"steps[{index}]"
        if isinstance(given, str):
            given = {given: {}}
        if not isinstance(given, dict) or len(given) != 1:
            raise InvalidInput(f'{place} must hold one step, as {{"pick": ["a"]}}')
        ((word, argument),) = given.items()
        name = snake(word[:64])
        if name not in STEPS:
            known = ", ".join(STEPS)
            raise InvalidInput(
                f"{place}: there is no step {word[:64]}",
                hint=near(word, STEPS) or f"known are {known}",
            )
        if argument is True and STEPS[name][0].kind == "object":
            argument = {}
        checked = _CHECKS[name](argument, f"{place}.{name}")
        try:
            value = STEPS[name][1](value, checked)
        except InvalidInput as error:
            raise InvalidInput(
                f"{place}: {error.message}", code=error.code, hint=error.hint
            ) from None
    return value

"""Differences of JSON values as RFC 6902 operations, and their application."""

from __future__ import annotations

from typing import Any, Final

from llmspell.errors import InvalidInput

CHANGES_MAX: Final = 50_000
ALIGN_MAX: Final = 1_000
"""Items of a list that are aligned; longer lists are compared place by place."""


def escape(step: str) -> str:
    """A step of a JSON Pointer (RFC 6901)."""
    return step.replace("~", "~0").replace("/", "~1")


def same(left: Any, right: Any) -> bool:
    """Equality in JSON: true is not 1, 1 is 1.0."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return bool(left == right)


def changes(left: Any, right: Any) -> list[dict[str, Any]]:
    """Operations that make `right` of `left`; each replaced or removed value is in `old`.

    Raises `InvalidInput` above CHANGES_MAX.
    """
    result: list[dict[str, Any]] = []
    _compare(left, right, "", result)
    return result


def _note(result: list[dict[str, Any]], change: dict[str, Any]) -> None:
    result.append(change)
    if len(result) > CHANGES_MAX:
        raise InvalidInput(f"over {CHANGES_MAX} differences")


def _compare(left: Any, right: Any, path: str, result: list[dict[str, Any]]) -> None:
    if isinstance(left, dict) and isinstance(right, dict):
        for key in left:
            place = f"{path}/{escape(key)}"
            if key in right:
                _compare(left[key], right[key], place, result)
            else:
                _note(result, {"op": "remove", "path": place, "old": left[key]})
        for key in right:
            if key not in left:
                place = f"{path}/{escape(key)}"
                _note(result, {"op": "add", "path": place, "value": right[key]})
    elif isinstance(left, list) and isinstance(right, list):
        _compare_lists(left, right, path, result)
    elif not same(left, right):
        _note(result, {"op": "replace", "path": path, "value": right, "old": left})


def _compare_lists(
    left: list[Any], right: list[Any], path: str, result: list[dict[str, Any]]
) -> None:
    start = 0
    while start < min(len(left), len(right)) and same(left[start], right[start]):
        start += 1
    end = 0
    while end < min(len(left), len(right)) - start and same(left[-1 - end], right[-1 - end]):
        end += 1
    first, second = left[start : len(left) - end], right[start : len(right) - end]
    if len(first) == len(second) or max(len(first), len(second)) > ALIGN_MAX:
        _place_by_place(first, second, path, start, result)
        return
    _aligned(first, second, path, start, result)


def _place_by_place(
    first: list[Any], second: list[Any], path: str, start: int, result: list[dict[str, Any]]
) -> None:
    shared = min(len(first), len(second))
    for index in range(shared):
        _compare(first[index], second[index], f"{path}/{start + index}", result)
    for index in range(len(first) - 1, shared - 1, -1):
        change = {"op": "remove", "path": f"{path}/{start + index}", "old": first[index]}
        _note(result, change)
    for index in range(shared, len(second)):
        _note(result, {"op": "add", "path": f"{path}/{start + index}", "value": second[index]})


def _aligned(
    first: list[Any], second: list[Any], path: str, start: int, result: list[dict[str, Any]]
) -> None:
    """Removals and additions along the longest common subsequence."""
    rows, columns = len(first), len(second)
    table = [[0] * (columns + 1) for _ in range(rows + 1)]
    for row in range(rows - 1, -1, -1):
        for column in range(columns - 1, -1, -1):
            if same(first[row], second[column]):
                table[row][column] = table[row + 1][column + 1] + 1
            else:
                table[row][column] = max(table[row + 1][column], table[row][column + 1])
    row = column = 0
    place = start
    while row < rows or column < columns:
        if row < rows and column < columns and same(first[row], second[column]):
            row, column, place = row + 1, column + 1, place + 1
        elif row < rows and (column == columns or table[row + 1][column] >= table[row][column + 1]):
            _note(result, {"op": "remove", "path": f"{path}/{place}", "old": first[row]})
            row += 1
        else:
            _note(result, {"op": "add", "path": f"{path}/{place}", "value": second[column]})
            column, place = column + 1, place + 1


def parse_pointer(pointer: str) -> list[str]:
    """The steps of a JSON Pointer. Raises `InvalidInput`."""
    if not pointer:
        return []
    if not pointer.startswith("/"):
        raise InvalidInput(f"{pointer[:80]!r} is no JSON Pointer", hint="it starts with /")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/")]


def _index(step: str, length: int, pointer: str) -> int:
    if not step.isdecimal() or len(step) > 9 or (step != "0" and step[0] == "0"):
        raise InvalidInput(f"{pointer[:80]}: {step[:20]!r} is no place in a list")
    if int(step) >= length:
        raise InvalidInput(f"{pointer[:80]}: the list has {length} items", code=2009)
    return int(step)


def resolve(value: Any, pointer: str) -> Any:
    """What a JSON Pointer names. Raises `InvalidInput` (2009) when it is not there."""
    for step in parse_pointer(pointer):
        if isinstance(value, list):
            value = value[_index(step, len(value), pointer)]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            raise InvalidInput(f"there is nothing at {pointer[:80]}", code=2009)
    return value


def apply(value: Any, operations: list[dict[str, Any]]) -> Any:
    """`value` with RFC 6902 operations applied; `value` itself is left as it was.

    Raises `InvalidInput` naming the operation; a failed `test` has code 2009.
    """
    value = _copy(value)
    budget = CHANGES_MAX
    for number, operation in enumerate(operations):
        try:
            value = _apply_one(value, operation)
        except InvalidInput as error:
            raise InvalidInput(f"patch[{number}]: {error.message}", code=error.code) from None
        budget -= 1
        if budget < 0:
            raise InvalidInput(f"over {CHANGES_MAX} operations")
    return value


def _copy(value: Any) -> Any:
    if isinstance(value, list):
        return [_copy(item) for item in value]
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return value


def _field(operation: dict[str, Any], name: str) -> Any:
    if name not in operation:
        raise InvalidInput(f"{name} is missing")
    value = operation[name]
    if name in ("path", "from") and not isinstance(value, str):
        raise InvalidInput(f"{name} is no text")
    return value


def _apply_one(value: Any, operation: dict[str, Any]) -> Any:
    name, path = operation.get("op"), _field(operation, "path")
    if name == "test":
        if not same(resolve(value, path), _field(operation, "value")):
            raise InvalidInput(f"the value at {path[:80] or 'the root'} is another", code=2009)
        return value
    if name == "remove":
        return _remove(value, path)
    if name == "replace":
        resolve(value, path)
        return _put(value, path, _copy(_field(operation, "value")), replaces=True)
    if name == "add":
        return _put(value, path, _copy(_field(operation, "value")), replaces=False)
    if name == "copy":
        return _put(value, path, _copy(resolve(value, _field(operation, "from"))), replaces=False)
    if name == "move":
        source = _field(operation, "from")
        if path.startswith(source + "/"):
            raise InvalidInput("a value can't be moved into itself")
        moved = resolve(value, source)
        return _put(_remove(value, source), path, moved, replaces=False)
    raise InvalidInput("op is none of add, remove, replace, move, copy, test")


def _parent(value: Any, path: str) -> tuple[Any, str]:
    steps = parse_pointer(path)
    if not steps:
        raise InvalidInput("the whole value can't be removed")
    return resolve(value, "".join("/" + escape(step) for step in steps[:-1])), steps[-1]


def _remove(value: Any, path: str) -> Any:
    resolve(value, path)
    holder, step = _parent(value, path)
    del holder[int(step) if isinstance(holder, list) else step]
    return value


def _put(value: Any, path: str, item: Any, *, replaces: bool) -> Any:
    if not path:
        return item
    holder, step = _parent(value, path)
    if isinstance(holder, dict):
        holder[step] = item
    elif isinstance(holder, list):
        if replaces:
            holder[_index(step, len(holder), path)] = item
        else:
            place = len(holder) if step == "-" else _index(step, len(holder) + 1, path)
            holder.insert(place, item)
    else:
        raise InvalidInput(f"{path[:80]}: its parent is no list and no object", code=2009)
    return value

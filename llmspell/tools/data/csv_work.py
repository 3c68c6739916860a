"""What is done to a table: choosing rows and columns, ordering, grouping."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from llmspell.errors import InvalidInput
from llmspell.tools.data.csv_table import Table, number_of
from llmspell.tools.data.json_path import ordered
from llmspell.tools.data.json_transform import sort_key
from llmspell.tools.naming import near
from llmspell.tools.patterns import compile_pattern

Predicate = Callable[[list[Any]], bool]

OPERATORS: Final = (
    "==", "!=", "<", "<=", ">", ">=", "contains", "not_contains", "starts_with", "ends_with", "in",
    "not_in", "matches", "is_empty", "is_not_empty",
)  # fmt: skip


def column(table: Table, name: str | int) -> int:
    """The place of a column by name, or by number from 1. Raises `InvalidInput`."""
    if isinstance(name, int):
        if 1 <= name <= len(table.columns):
            return name - 1
        raise InvalidInput(f"there is no column {name}; there are {len(table.columns)}")
    if name not in table.columns:
        raise InvalidInput(
            f"there is no column {name[:64]}",
            hint=near(name, table.columns)
            or "columns are " + ", ".join(each[:40] for each in table.columns[:30]),
        )
    return table.columns.index(name)


def _alike(cell: Any, wanted: Any) -> Any:
    """The cell as a number where it is compared with one."""
    if isinstance(cell, str) and isinstance(wanted, int | float) and not isinstance(wanted, bool):
        return number_of(cell.strip())
    return cell


def _equal(cell: Any, wanted: Any) -> bool:
    if isinstance(wanted, str) and isinstance(cell, int | float) and not isinstance(cell, bool):
        wanted = number_of(wanted.strip())
    if isinstance(wanted, bool) and isinstance(cell, str):
        return cell.strip().lower() == str(wanted).lower()
    return bool(_alike(cell, wanted) == wanted)


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell)


def _test(table: Table, condition: Mapping[str, Any]) -> Predicate:
    place = column(table, condition["column"])
    operator, wanted = condition["operator"], condition.get("value")
    fold: Callable[[str], str] = str.casefold if condition["ignore_case"] else str
    if operator in ("is_empty", "is_not_empty"):
        return lambda row: (_text(row[place]).strip() == "") is (operator == "is_empty")
    if operator in ("==", "!="):
        is_text = condition["ignore_case"] and isinstance(wanted, str)
        return lambda row: (
            (
                fold(_text(row[place])) == fold(str(wanted))
                if is_text
                else _equal(row[place], wanted)
            )
            is (operator == "==")
        )
    if operator in ("<", "<=", ">", ">="):
        return lambda row: ordered(_alike(row[place], wanted), operator, wanted)
    if operator in ("in", "not_in"):
        if not isinstance(wanted, list) or len(wanted) > 10_000:
            raise InvalidInput(f"{operator} needs a list of at most 10000 values")
        return lambda row: any(_equal(row[place], each) for each in wanted) is (operator == "in")
    if not isinstance(wanted, str):
        raise InvalidInput(f"{operator} needs a text as value")
    if operator == "matches":
        pattern: re.Pattern[str] = compile_pattern(
            wanted, "i" if condition["ignore_case"] else "", "filter: value"
        )
        return lambda row: pattern.search(_text(row[place])) is not None
    part = fold(wanted)
    tests: dict[str, Predicate] = {
        "contains": lambda row: part in fold(_text(row[place])),
        "not_contains": lambda row: part not in fold(_text(row[place])),
        "starts_with": lambda row: fold(_text(row[place])).startswith(part),
        "ends_with": lambda row: fold(_text(row[place])).endswith(part),
    }
    return tests[operator]


def keep(table: Table, conditions: list[dict[str, Any]], match: str) -> Table:
    """The rows that meet all (or any) of the conditions."""
    tests = [_test(table, condition) for condition in conditions]
    meets = all if match == "all" else any
    rows = [row for row in table.rows if meets(test(row) for test in tests)]
    return table._replace(rows=rows)


def choose(table: Table, names: list[str]) -> Table:
    """Only these columns, in this order."""
    places = [column(table, name) for name in names]
    rows = [[row[place] for place in places] for row in table.rows]
    return Table([table.columns[place] for place in places], rows, table.ragged)


def order(table: Table, keys: list[dict[str, Any]]) -> Table:
    """The rows in order of some columns; equal rows stay as they were."""
    rows = list(table.rows)
    for key in reversed(keys):
        place = column(table, key["column"])
        rows.sort(
            key=lambda row, at=place: sort_key(row[at]),  # type: ignore[misc]
            reverse=key["order"] == "desc",
        )
    return table._replace(rows=rows)


def _numbers(cells: list[Any]) -> list[float]:
    values = [number_of(cell.strip()) if isinstance(cell, str) else cell for cell in cells]
    return [
        value for value in values if isinstance(value, int | float) and not isinstance(value, bool)
    ]


def _whole(value: float) -> Any:
    return int(value) if value.is_integer() and abs(value) <= 2**53 else value


def _sum(cells: list[Any]) -> Any:
    values = _numbers(cells)
    if all(isinstance(value, int) for value in values):
        total = sum(values)
        return total if abs(total) <= 2**53 else float(total)
    return _whole(math.fsum(values))


def _mean(cells: list[Any]) -> Any:
    values = _numbers(cells)
    return _whole(math.fsum(values) / len(values)) if values else None


def _median(cells: list[Any]) -> Any:
    values = sorted(_numbers(cells))
    if not values:
        return None
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def _deviation(cells: list[Any]) -> Any:
    values = _numbers(cells)
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _extreme(pick: Callable[..., Any]) -> Callable[[list[Any]], Any]:
    def compute(cells: list[Any]) -> Any:
        filled = [cell for cell in cells if cell is not None and cell != ""]
        return pick(filled, key=sort_key) if filled else None

    return compute


AGGREGATES: Final[Mapping[str, Callable[[list[Any]], Any]]] = {
    "count": lambda cells: sum(1 for cell in cells if cell is not None and cell != ""),
    "sum": _sum,
    "avg": _mean,
    "mean": _mean,
    "median": _median,
    "min": _extreme(min),
    "max": _extreme(max),
    "std": _deviation,
    "first": lambda cells: cells[0] if cells else None,
    "last": lambda cells: cells[-1] if cells else None,
    "distinct": lambda cells: len({(type(cell).__name__, cell) for cell in cells}),
}


def aggregate(table: Table, group_by: list[str], aggregations: list[str]) -> Table:
    """One row a group, in order of first appearance; without `group_by` one row in all.

    `sum:amount` gives the column `sum_amount`, `count:*` the column `count` (inventory TOOL-020).
    """
    places = [column(table, name) for name in group_by]
    groups: dict[tuple[Any, ...], list[list[Any]]] = {} if places else {(): list(table.rows)}
    for row in table.rows if places else ():
        groups.setdefault(tuple(row[place] for place in places), []).append(row)
    makers: list[tuple[str, Callable[[list[list[Any]]], Any]]] = [
        _maker(table, each) for each in aggregations
    ]
    rows = [[*key, *(make(group) for _, make in makers)] for key, group in groups.items()]
    return Table([table.columns[place] for place in places] + [name for name, _ in makers], rows)


def _maker(table: Table, text: str) -> tuple[str, Callable[[list[list[Any]]], Any]]:
    word, _, name = text.partition(":")
    function = AGGREGATES.get(word)
    if function is None:
        known = ", ".join(AGGREGATES)
        raise InvalidInput(f"there is no aggregation {word[:40]}", hint=f"known are {known}")
    if word == "count" and name in ("", "*"):
        return "count", len
    place = column(table, name)

    def make(rows: list[list[Any]]) -> Any:
        return function([row[place] for row in rows])

    return f"{word}_{name}", make

"""A table of cells: reading CSV text into one and writing it out."""

from __future__ import annotations

import csv
import io
import re
from typing import Any, Final, NamedTuple

from llmspell.channel.bounds import INTEGER_MAX
from llmspell.errors import InvalidInput
from llmspell.tools.data.json_reading import json_bytes

CELLS_MAX: Final = 5_000_000
COLUMNS_MAX: Final = 10_000
CELL_MAX: Final = 1_048_576
csv.field_size_limit(CELL_MAX)

_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d{0,17})(?:\.\d{1,17})?(?:[eE][+-]?\d{1,3})?")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class Dialect(NamedTuple):
    """How cells are set apart."""

    delimiter: str
    quote: str
    trims: bool


class Table(NamedTuple):
    """Column names and rows of cells, each row as long as the names."""

    columns: list[str]
    rows: list[list[Any]]
    ragged: int = 0


def guess_delimiter(text: str, quote: str) -> str:
    """The character that parts most cells alike in the first lines."""
    sample = re.sub(
        rf"{re.escape(quote)}[^{re.escape(quote)}]*{re.escape(quote)}", "", text[:65_536]
    )
    lines = [line for line in sample.splitlines()[:20] if line.strip()]
    best, most = ",", 0
    for candidate in ",;\t|":
        counts = [line.count(candidate) for line in lines]
        if counts and min(counts) > 0 and min(counts) * 2 >= max(counts) and min(counts) > most:
            best, most = candidate, min(counts)
    return best


def number_of(cell: str) -> Any:
    """A cell as a number where it plainly is one; `007`, `+1` and huge numbers stay text."""
    if not cell or cell[0] not in "-0123456789" or _NUMBER.fullmatch(cell) is None:
        return cell
    if "." in cell or "e" in cell or "E" in cell:
        value = float(cell)
        return cell if value in (float("inf"), float("-inf")) else value
    whole = int(cell)
    return whole if abs(whole) <= INTEGER_MAX else cell


def _records(text: str, dialect: Dialect) -> Any:
    return csv.reader(
        io.StringIO(text, newline=""),
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        skipinitialspace=dialect.trims,
        strict=True,
    )


def read_table(
    text: str, dialect: Dialect, headers: bool | list[str], *, infers: bool, skips: int = 0
) -> Table:
    """The table of a CSV text. Raises `InvalidInput` (2009) naming the line."""
    columns: list[str] = list(headers) if isinstance(headers, list) else []
    rows: list[list[Any]] = []
    cells = ragged = 0
    reader = _records(text, dialect)
    try:
        for number, record in enumerate(reader):
            if number < skips or not record:
                continue
            cells += len(record)
            if cells > CELLS_MAX or len(record) > COLUMNS_MAX:
                raise InvalidInput(f"over {CELLS_MAX} cells, or {COLUMNS_MAX} in one row")
            if headers is True and not columns:
                columns = named_columns([cell.strip() for cell in record])
                continue
            if dialect.trims:
                record = [cell.strip() for cell in record]
            rows.append([number_of(cell) for cell in record] if infers else record)
    except csv.Error as error:
        raise InvalidInput(f"line {reader.line_num} is no CSV: {error}", code=2009) from None
    width = max(map(len, rows), default=0)
    wanted = len(columns)
    columns += [f"column{index + 1}" for index in range(len(columns), width)]
    if cells and len(columns) * len(rows) > CELLS_MAX:
        raise InvalidInput(f"over {CELLS_MAX} cells, counting the missing ones")
    for row in rows:
        if len(row) != (wanted or width):
            ragged += 1
        row.extend([None] * (len(columns) - len(row)))
    return Table(columns, rows, ragged)


def named_columns(names: list[str]) -> list[str]:
    """Names without gaps and repetitions: an empty one is `column3`, a second `a` is `a_2`."""
    result: list[str] = []
    taken: dict[str, int] = {}
    for index, given in enumerate(names):
        name = given or f"column{index + 1}"
        count = taken.get(name, 0) + 1
        taken[name] = count
        if count > 1:
            while f"{name}_{count}" in taken:
                count += 1
            name = f"{name}_{count}"
            taken[name] = 1
        result.append(name)
    return result


def table_of(rows: list[Any], columns: list[str] | None) -> Table:
    """The table of a list of objects, or of lists. Raises `InvalidInput` naming the row."""
    if all(isinstance(row, dict) for row in rows):
        names = columns or list(dict.fromkeys(key for row in rows for key in row))
        if len(names) * len(rows) > CELLS_MAX:
            raise InvalidInput(f"over {CELLS_MAX} cells")
        return Table(names, [[row.get(name) for name in names] for row in rows])
    if not all(isinstance(row, list) for row in rows):
        raise InvalidInput("rows must all be objects or all be lists")
    width = max(map(len, rows), default=0)
    names = columns or [f"column{index + 1}" for index in range(width)]
    if len(names) < width or len(names) * len(rows) > CELLS_MAX:
        raise InvalidInput("a row has more cells than there are columns, or there are too many")
    return Table(names, [row + [None] * (len(names) - len(row)) for row in rows])


def write_table(
    table: Table, dialect: Dialect, *, headers: bool, quotes: str, ending: str, guards: bool
) -> str:
    """The CSV text of a table. `guards` puts ' before what a spreadsheet would compute."""
    sink = io.StringIO(newline="")
    writer = csv.writer(
        sink,
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        quoting=csv.QUOTE_ALL if quotes == "all" else csv.QUOTE_MINIMAL,
        lineterminator="\r\n" if ending == "crlf" else "\n",
    )
    try:
        if headers:
            writer.writerow([_written(name, guards=guards) for name in table.columns])
        for row in table.rows:
            writer.writerow([_written(cell, guards=guards) for cell in row])
    except csv.Error as error:
        raise InvalidInput(f"the rows can't be written: {error}") from None
    return sink.getvalue()


def _written(cell: Any, *, guards: bool) -> Any:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, dict | list):
        return json_bytes(cell).decode("utf-8")
    if guards and isinstance(cell, str) and cell.startswith(_FORMULA):
        return "'" + cell
    return cell

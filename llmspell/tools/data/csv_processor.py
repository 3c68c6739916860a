"""csv_processor: reading, writing, filtering and summing up CSV (TOOL-017)."""

from __future__ import annotations

from typing import Any, Final

from llmspell.errors import InvalidInput
from llmspell.tools import encodings
from llmspell.tools.data import csv_work as work
from llmspell.tools.data.csv_table import (
    Dialect,
    Table,
    guess_delimiter,
    read_table,
    table_of,
    write_table,
)
from llmspell.tools.filesystem.reading import read_bytes
from llmspell.tools.schema import (
    anything,
    array,
    boolean,
    enum,
    integer,
    record,
    string,
    union,
)
from llmspell.tools.sizes import parse_size
from llmspell.tools.tool import MIB, Example, Host, Tool

OPERATIONS: Final = (
    "read", "parse", "write", "stringify", "filter", "select", "sort", "aggregate",
)  # fmt: skip
SIZE_MAX: Final = 64 * MIB
_NEEDED: Final = {
    "filter": "filter",
    "select": "columns",
    "sort": "sort",
    "aggregate": "aggregations",
}


async def _text(given: dict[str, Any], host: Host) -> tuple[str, str]:
    if "text" in given:
        return given["text"], "text"
    most = parse_size(given["max_size"], "max_size", SIZE_MAX)
    encoding = given["encoding"]
    if encoding != "auto":
        encoding = encodings.find_encoding(encoding)
    decoded = encodings.decode(await read_bytes(host, given["file_path"], most), encoding)
    return decoded.text, decoded.encoding


def _dialect(given: dict[str, Any], text: str) -> Dialect:
    delimiter, quote = given["delimiter"], given["quotechar"]
    if delimiter == "auto":
        delimiter = guess_delimiter(text, quote)
    delimiter = {"\\t": "\t", "tab": "\t"}.get(delimiter, delimiter)
    if len(delimiter) != 1 or delimiter in "\r\n" or delimiter == quote:
        raise InvalidInput('delimiter must be one character, "tab" or "auto", and not the quote')
    return Dialect(delimiter, quote, given["trim"])


async def _table(given: dict[str, Any], host: Host) -> tuple[Table, dict[str, Any]]:
    writes = given["operation"] in ("write", "stringify")
    sources: list[str] = [name for name in ("text", "rows") if name in given]
    if "file_path" in given and not writes:
        sources.append("file_path")
    if len(sources) != 1:
        wanted = "rows or text" if writes else "text, file_path or rows"
        raise InvalidInput(f"exactly one of {wanted} is needed")
    headers = given["headers"]
    if sources == ["rows"]:
        return table_of(given["rows"], headers if isinstance(headers, list) else None), {}
    text, encoding = await _text(given, host)
    text = text.removeprefix("\ufeff")
    dialect = _dialect(given, text)
    table = read_table(
        text, dialect, headers, infers=given["infer_types"], skips=given["skip_rows"]
    )
    return table, {"delimiter": dialect.delimiter, "encoding": encoding}


def _worked(table: Table, given: dict[str, Any]) -> Table:
    needed = _NEEDED.get(given["operation"])
    if needed is not None and not given.get(needed):
        raise InvalidInput(f"{needed} is missing; {given['operation']} needs it")
    if given.get("filter"):
        table = work.keep(table, given["filter"], given["match"])
    if "aggregations" in given or "group_by" in given:
        table = work.aggregate(
            table, given.get("group_by", []), given.get("aggregations", ["count:*"])
        )
    if given.get("sort"):
        table = work.order(table, given["sort"])
    if given.get("columns"):
        table = work.choose(table, given["columns"])
    end = None if "limit" not in given else given["offset"] + given["limit"]
    return table._replace(rows=table.rows[given["offset"] : end])


async def _run(given: dict[str, Any], host: Host) -> dict[str, Any]:
    table, metadata = await _table(given, host)
    total = len(table.rows)
    ragged = table.ragged
    table = _worked(table, given)
    metadata |= {
        "columns": table.columns,
        "rows": len(table.rows),
        "total_rows": total,
        "ragged_rows": ragged,
    }
    target = given.get("output_path")
    if given["operation"] == "write":
        target = given.get("file_path", target)
        if target is None:
            raise InvalidInput("file_path is missing; write needs it")
    if target is None and given["operation"] != "stringify":
        names = table.columns
        as_lists = given["headers"] is False and "group_by" not in given and "rows" not in given
        rows = (
            table.rows if as_lists else [dict(zip(names, row, strict=True)) for row in table.rows]
        )
        return {"result": rows, "metadata": metadata}
    text = write_table(
        table,
        _dialect(given | ({"delimiter": ","} if given["delimiter"] == "auto" else {}), ""),
        headers=given["headers"] is not False,
        quotes=given["quote"],
        ending=given["line_ending"],
        guards=given["guard_formulas"],
    )
    if target is None:
        return {"result": text, "metadata": metadata | {"length": len(text)}}
    data = _encoded(text, given["encoding"])
    args = {"path": target, "data": data, "create_parents": given["create_parents"]}
    await host.call("fs.write", args)
    return {"result": target, "metadata": metadata | {"bytes": len(data)}}


def _encoded(text: str, encoding: str) -> bytes:
    name = "utf-8" if encoding == "auto" else encodings.find_encoding(encoding)
    try:
        return text.encode(name)
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"{name} has no {error.object[error.start]!r}", hint='write with encoding "utf-8"'
        ) from None


_CONDITION: Final = record(
    "",
    {
        "column": union(
            "Its name, or number from 1.",
            (string("", max_length=1_000), integer("", 1, 10_000)),
            required=True,
        ),
        "operator": enum("", work.OPERATORS, default="=="),
        "value": anything("What to compare with; of in and not_in a list."),
        "ignore_case": boolean("", default=False),
    },
)
_KEY: Final = record(
    "",
    {
        "column": string("", required=True, max_length=1_000),
        "order": enum("", ("asc", "desc"), default="asc"),
    },
)

TOOL = Tool(
    name="csv_processor",
    category="data",
    description="Reads, writes, filters, orders and sums up CSV.",
    security_level="medium",
    needs=frozenset({"read", "write"}),
    capabilities=("csv", "data_transformation", "aggregation"),
    preload=encodings.preload,
    parameters=record(
        "",
        {
            "operation": enum(
                "Any but write and stringify reads; filter, sort, columns, aggregations and limit "
                "may be combined with each.",
                OPERATIONS,
                required=True,
            ),
            "file_path": string(
                "The file to read; of write the file to make.", min_length=1, max_length=4096
            ),
            "text": string("CSV text instead of a file."),
            "rows": array("Objects or lists instead of a file.", anything("")),
            "output_path": string(
                "Write the rows to this file instead of giving them back.",
                min_length=1,
                max_length=4096,
            ),
            "headers": union(
                "true: the first row names the columns; false: rows are lists; or the names.",
                (boolean(""), array("", string("", max_length=1_000), max_items=10_000)),
                default=True,
            ),
            "delimiter": string(
                "One character, tab or auto.", default=",", min_length=1, max_length=4
            ),
            "quotechar": string("", default='"', min_length=1, max_length=1),
            "encoding": string("Of the file; auto finds out.", default="auto", max_length=40),
            "trim": boolean("Whether spaces around cells go.", default=False),
            "infer_types": boolean("Whether plain numbers become numbers.", default=True),
            "skip_rows": integer("Rows to pass over first.", 0, 10**9, default=0),
            "max_size": union(
                "A larger file is an error; 64MB at most.",
                (string("", max_length=40), integer("", 1, SIZE_MAX)),
                default="10MB",
            ),
            "filter": array("Conditions on rows.", _CONDITION, max_items=100),
            "match": enum("Whether all conditions must hold.", ("all", "any"), default="all"),
            "columns": array(
                "Columns to keep, in order.", string("", max_length=1_000), max_items=10_000
            ),
            "sort": array("Columns to order by.", _KEY, max_items=20),
            "group_by": array(
                "Columns that make a group.", string("", max_length=1_000), max_items=20
            ),
            "aggregations": array(
                "Like sum:amount (gives sum_amount) or count:*. Functions: "
                + ", ".join(work.AGGREGATES)
                + ".",
                string("", max_length=1_100),
                max_items=100,
            ),
            "offset": integer("Rows of the result to pass over.", 0, 10**9, default=0),
            "limit": integer("Rows of the result to give.", 0, 10**9),
            "quote": enum(
                "Of writing: which cells are quoted.", ("minimal", "all"), default="minimal"
            ),
            "line_ending": enum("Of writing.", ("lf", "crlf"), default="lf"),
            "guard_formulas": boolean(
                "Of writing: put ' before cells that a spreadsheet would compute.", default=False
            ),
            "create_parents": boolean("Of writing: make missing folders.", default=False),
        },
    ),
    output=anything(
        "the rows as objects (as lists without headers); of stringify the text; of write the path."
    ),
    run=_run,
    examples=(
        Example(
            "The seeds' file",
            {
                "operation": "read",
                "file_path": "./data/sales.csv",
                "headers": True,
                "delimiter": ",",
                "encoding": "utf-8",
            },
            [
                {"category": "books", "amount": 1200},
                {"category": "toys", "amount": 300},
                {"category": "books", "amount": 1500},
            ],
        ),
        Example(
            "Filter",
            {
                "operation": "filter",
                "text": "name;age\nAda;36\nBob;17\n",
                "delimiter": "auto",
                "filter": [{"column": "age", "operator": ">=", "value": 18}],
            },
            [{"name": "Ada", "age": 36}],
        ),
        Example(
            "Sum up",
            {
                "operation": "aggregate",
                "file_path": "./data/sales.csv",
                "group_by": ["category"],
                "aggregations": ["sum:amount", "count:*"],
                "sort": [{"column": "sum_amount", "order": "desc"}],
            },
            [
                {"category": "books", "sum_amount": 2700, "count": 2},
                {"category": "toys", "sum_amount": 300, "count": 1},
            ],
        ),
        Example(
            "Write",
            {"operation": "stringify", "rows": [{"a": 1, "b": "x,y"}, {"a": 2}]},
            'a,b\n1,"x,y"\n2,\n',
        ),
    ),
)

"""The same work in each language, for the speed of the engines; about a millisecond natively.

Each is the body of a function that gives a number, so that nothing can be left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BODIES: Final[Mapping[str, Mapping[str, str]]] = {
    "fibonacci(20)": {
        "lua": """
local function fib(n) if n <= 1 then return n end return fib(n - 1) + fib(n - 2) end
return fib(20)
""",
        "javascript": """
function fib(n) { if (n <= 1) return n; return fib(n - 1) + fib(n - 2); }
return fib(20);
""",
        "python": """
def fib(n):
    return n if n <= 1 else fib(n - 1) + fib(n - 2)
return fib(20)
""",
    },
    "strings": {
        "lua": """
local parts = {}
for i = 1, 1000 do parts[i] = "item " .. i end
local text = table.concat(parts, ",")
local _, found = text:upper():gsub("ITEM 1", "x")
return #text + found
""",
        "javascript": """
const parts = [];
for (let i = 1; i <= 1000; i++) parts.push("item " + i);
const text = parts.join(",");
return text.length + text.toUpperCase().split("ITEM 1").length - 1;
""",
        "python": """
parts = []
for i in range(1, 1001):
    parts.append("item " + str(i))
text = ",".join(parts)
return len(text) + text.upper().count("ITEM 1")
""",
    },
    "JSON": {
        "lua": """
local rows = {}
for i = 1, 150 do rows[i] = { id = i, name = "name", on = true, tags = { "a", "b" } } end
local text = JSON.stringify(rows)
return #JSON.parse(text)
""",
        "javascript": """
const rows = [];
for (let i = 1; i <= 150; i++) rows.push({ id: i, name: "name", on: true, tags: ["a", "b"] });
const text = JSON.stringify(rows);
return JSON.parse(text).length;
""",
        "python": """
rows = []
for i in range(1, 151):
    rows.append({"id": i, "name": "name", "on": True, "tags": ["a", "b"]})
text = json.dumps(rows)
return len(json.loads(text))
""",
    },
    "objects": {
        "lua": """
local kept = {}
for i = 1, 3000 do
  kept[i % 100 + 1] = { x = i, y = i * 2, next = kept[(i + 1) % 100 + 1] and i }
end
local sum = 0
for _, one in ipairs(kept) do sum = sum + one.x + one.y end
return sum
""",
        "javascript": """
const kept = [];
for (let i = 1; i <= 3000; i++) kept[i % 100] = { x: i, y: i * 2, next: kept[(i + 1) % 100] && i };
let sum = 0;
for (const one of kept) sum += one.x + one.y;
return sum;
""",
        "python": """
kept = [None] * 100
for i in range(1, 3001):
    kept[i % 100] = {"x": i, "y": i * 2, "next": kept[(i + 1) % 100] and i}
total = 0
for one in kept:
    total += one["x"] + one["y"]
return total
""",
    },
}


def timed(language: str, name: str) -> str:
    """A spell that runs the script `params.times` times and gives each time in milliseconds."""
    body = BODIES[name][language]
    if language == "lua":
        return f"""
local function work() {body} end
local spent = {{}}
for i = 1, params.times do
  local begun = os.clock()
  work()
  spent[i] = (os.clock() - begun) * 1000
end
return spent
"""
    if language == "javascript":
        return f"""
function work() {{ {body} }}
const spent = [];
for (let i = 0; i < params.times; i++) {{
  const begun = performance.now();
  work();
  spent.push(performance.now() - begun);
}}
return spent;
"""
    return f"""
import json, time
{function(body)}
spent = []
for i in range(params["times"]):
    begun = time.perf_counter()
    work()
    spent.append((time.perf_counter() - begun) * 1000)
spent
"""


def function(body: str) -> str:
    """A Python function `work` with this body."""
    return "def work():" + body.replace("\n", "\n    ").rstrip() + "\n"

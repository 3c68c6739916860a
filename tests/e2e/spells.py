"""The same small spells in three languages."""

from __future__ import annotations

from typing import Final

SAME: Final = {
    "lua": """
print("hello", params.who)
local sum = 0
for _, n in ipairs(params.numbers) do sum = sum + n end
return {
  sum = sum, half = sum / 4, big = 9007199254740991, text = "grüße \\u{1F600}\\n\\"",
  list = {1, "two", {three = 3}}, yes = true, args = args, first = args[1], none = JSON.null,
  tool = Tools.execute("calculator", {expression = "6 * 7"}).result,
  stored = (function() Storage.set("k", {a = 1}) return Storage.get("k") end)(),
}
""",
    "javascript": """
console.log("hello", params.who);
let sum = 0;
for (const n of params.numbers) sum += n;
await Storage.set("k", {a: 1});
return {
  sum, half: sum / 4, big: 9007199254740991, text: "grüße \\u{1F600}\\n\\"",
  list: [1, "two", {three: 3}], yes: true, args, first: args[0], none: null,
  tool: (await Tools.execute("calculator", {expression: "6 * 7"})).result,
  stored: await Storage.get("k"),
};
""",
    "python": """
print("hello", params["who"])
total = sum(params["numbers"])
await Storage.set("k", {"a": 1})
result = {
    "sum": total, "half": total / 4, "big": 9007199254740991, "text": "grüße \\U0001F600\\n\\"",
    "list": [1, "two", {"three": 3}], "yes": True, "args": args, "first": args[0], "none": None,
    "tool": (await Tools.execute("calculator", {"expression": "6 * 7"}))["result"],
    "stored": await Storage.get("k"),
}
""",
}

SAME_FLAGS: Final = ("--param", "who=moon", "--param", "numbers=[1, 2, 3]")
SAME_VALUE: Final = {
    "sum": 6,
    "half": 1.5,
    "big": 9007199254740991,
    "text": 'grüße \U0001f600\n"',
    "list": [1, "two", {"three": 3}],
    "yes": True,
    "args": ["a b", "--flag"],
    "first": "a b",
    "none": None,
    "tool": 42,
    "stored": {"a": 1},
}

LOOPS: Final = {
    ("lua", "busy"): "while true do end",
    ("javascript", "busy"): "while (true) {}",
    ("python", "busy"): "while True:\n    pass",
    ("lua", "caught"): "while true do pcall(function() while true do error('x') end end) end",
    ("javascript", "caught"): "while (true) { try { while (true) { throw 1 } } catch (e) {} }",
    ("python", "caught"): (
        "while True:\n    try:\n        while True:\n            raise BaseException\n"
        "    except BaseException:\n        pass\n    finally:\n        continue"
    ),
    ("lua", "pattern"): "return (string.rep('a', 200)):find(('.-'):rep(12) .. 'b')",
    ("javascript", "pattern"): "return /^(a+)+$/.test('a'.repeat(60) + 'b')",
    ("python", "pattern"): "import re\nre.match('(a+)+$', 'a' * 60 + 'b')",
    ("lua", "sleep"): "Async.sleep(60000)",
    ("javascript", "sleep"): "await Async.sleep(60000)",
    ("python", "sleep"): "await Async.sleep(60000)",
}

FLOODS: Final = {
    "lua": "local s = ('x'):rep(1000) while true do print(s) end",
    "javascript": "const s = 'x'.repeat(1000); while (true) console.log(s)",
    "python": "s = 'x' * 1000\nwhile True:\n    print(s)",
}

TOO_LARGE: Final = {
    "lua": "local text = ('x'):rep(2000000000)",
    "javascript": "const bytes = new Uint8Array(2000000000); bytes.fill(1)",
    "python": "text = 'x' * 2_000_000_000",
}
CAUGHT: Final = {
    "lua": "local ok = pcall(function() {} end)\nreturn ok",
    "javascript": "let ok = true; try {{ {} }} catch (e) {{ ok = false }}\nreturn ok",
    "python": "try:\n    {}\n    ok = True\nexcept MemoryError:\n    ok = False\nresult = ok",
}
GROWS: Final = {
    "lua": "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(100000) .. i end",
    "javascript": "const t = []; for (let i = 0; i < 1e9; i++) t.push(new Array(10000).fill(i))",
    "python": "t = []\nwhile True:\n    t.append(bytearray(100_000))",
}

READS: Final = {
    "lua": "return fs.read('data/in.txt')",
    "javascript": "return await fs.read('data/in.txt')",
    "python": "result = await fs.read('data/in.txt')",
}

BEYOND_NUMBERING = {
    "lua": 'return #string.rep("x", 2 * 1024 * 1024 * 1024)',
    "javascript": 'return "x".repeat(2 * 1024 * 1024 * 1024).length',
    "python": 'len("x" * (2 * 1024 * 1024 * 1024))',
}
"""Exactly 2 GiB: more than an engine can number, so it refuses before it asks for memory."""

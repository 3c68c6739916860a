"""Spells that time their own calls, by their language's clock, in microseconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CALLS: Final[Mapping[str, str]] = {
    "lua": """
local spent = {}
for i = 1, params.times do
  local begun = os.clock()
  fs.exists("scratch:none")
  spent[i] = (os.clock() - begun) * 1e6
end
return spent
""",
    "javascript": """
const spent = [];
for (let i = 0; i < params.times; i++) {
  const begun = performance.now();
  await fs.exists("scratch:none");
  spent.push((performance.now() - begun) * 1000);
}
return spent;
""",
    "python": """
import time
spent = []
for i in range(params["times"]):
    begun = time.perf_counter()
    await fs.exists("scratch:none")
    spent.append((time.perf_counter() - begun) * 1e6)
spent
""",
}
"""`params.times` calls one after the other: checked, charged, judged, recorded, answered."""

PAYLOAD: Final[Mapping[str, str]] = {
    "lua": """
local spent, data = {}, string.rep("x", params.size)
for i = 1, params.times do
  local begun = os.clock()
  fs.write("scratch:p", data)
  local back = fs.read("scratch:p")
  spent[i] = (os.clock() - begun) * 1000
  assert(#back == params.size)
end
return spent
""",
    "javascript": """
const spent = [], data = "x".repeat(params.size);
for (let i = 0; i < params.times; i++) {
  const begun = performance.now();
  await fs.write("scratch:p", data);
  const back = await fs.read("scratch:p");
  spent.push(performance.now() - begun);
  if (back.length !== params.size) throw new Error("cut");
}
return spent;
""",
    "python": """
import time
spent, data = [], "x" * params["size"]
for i in range(params["times"]):
    begun = time.perf_counter()
    await fs.write("scratch:p", data)
    back = await fs.read("scratch:p")
    spent.append((time.perf_counter() - begun) * 1000)
    assert len(back) == params["size"]
spent
""",
}
"""`params.size` characters out in one call and back in another, in milliseconds."""

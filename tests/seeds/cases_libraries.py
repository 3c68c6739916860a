"""S27 to S29: libraries of the npm world, TypeScript, and errors with classes of their own."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.seeds.case import Case

# Four libraries in as few lines as S27 needs, as files of the spell's folder.
_LIBRARIES: Final = {
    "axios.js": """
module.exports = { get: async (url, options) => {
  if (url.endsWith("/gone")) throw new Error("no page at " + url);
  return { data: { h1: "Robots " + url.slice(-1), title: "Page", body: "one two three",
                   when: "2025-01-20T00:00:00Z", agent: options.headers["User-Agent"] } };
} };""",
    "cheerio.js": """
exports.load = (page) => (selector) => {
  const texts = { "h1, .title, .headline": page.h1, title: page.title, body: page.body };
  const dated = selector === "time[datetime]";
  const text = texts[selector] ?? "";
  return { length: dated || text ? 1 : 0, text: () => text, map: () => ({ get: () => [] }),
           attr: (name) => (dated && name === "datetime" ? page.when : undefined) };
};""",
    "moment.js": """
module.exports = (when) => {
  const date = when === undefined ? new Date() : new Date(when);
  return { isValid: () => !Number.isNaN(date.getTime()), toISOString: () => date.toISOString() };
};""",
    "lodash.js": """
const at = (item, path) => path.split(".").reduce((value, key) => value?.[key], item);
const steps = {
  filter: (list, test) => list.filter(test),
  groupBy: (list, path) => list.reduce((groups, item) => {
    (groups[at(item, path)] ??= []).push(item);
    return groups;
  }, {}),
  mapValues: (groups, change) => Object.fromEntries(
    Object.entries(groups).map(([key, group]) => [key, change(group)])),
  countBy: (list) => list.reduce((counts, word) => {
    counts[word] = (counts[word] ?? 0) + 1;
    return counts;
  }, {}),
  toPairs: Object.entries,
  sortBy: (list, key) => [...list].sort((a, b) => a[key] - b[key]),
  reverse: (list) => [...list].reverse(),
  take: (list, count) => list.slice(0, count),
  fromPairs: Object.fromEntries,
};
const chain = (value) => {
  const chained = { value: () => value };
  for (const [name, step] of Object.entries(steps)) {
    chained[name] = (...given) => chain(step(value, ...given));
  }
  return chained;
};
module.exports = {
  chain,
  flatten: (list) => list.flat(),
  map: (list, path) => list.map((item) => at(item, path)),
  meanBy: (list, path) => list.reduce((sum, item) => sum + at(item, path), 0) / list.length,
};""",
}

_RESEARCH: Final = """
await Agent.create({ name: "market_analyst", provider: "fake", model: "echo" });
await Tools.create("web_search", { execute: ({ query, maxResults }) => ({ results: [
  { url: "https://news.example/" + query.split(" ").length },
  { url: "https://news.example/" + maxResults } ] }) });
const found = await comprehensiveMarketResearch("robots");
let failure;
try {
  await Tools.get("advanced_web_scraper").execute({ url: "https://news.example/gone" });
} catch (error) { failure = [error.code, error.message]; }
return { ...found, failure };"""


def _researched(result: Any) -> None:
    value = result.value
    assert value["topic"] == "robots" and value["rawDataCount"] == 8
    (group,) = value["processedData"].values()
    assert group["count"] == 8 and group["averageWordCount"] == 3
    assert group["sources"][:2] == ["https://news.example/4", "https://news.example/5"]
    assert group["topics"] == {"robots": 8, "undefined": 8}
    assert 0.3 <= group["sentiment"]["positive"] <= 0.7
    told = json.loads(value["analysis"]["content"])
    assert told["analysisType"] == "comprehensive" and told["data"] == value["processedData"]
    assert value["failure"][0] == 2003 and "no page at" in value["failure"][1]


_RECOVERY: Final = """
const told = [];
let turn = 0;
told.push(await executor.executeWithRecovery(async () => {
  if (++turn === 1) throw new RateLimitError(0.01, { from: "test" });
  return "after " + turn;
}));
const context = { agent: { config: { provider: "openai" } },
                  originalInput: { text: "long", kept: 1 } };
turn = 0;
executor.baseDelay = 1;
told.push(await executor.executeWithRecovery(async () => {
  if (++turn === 1) throw new LLMSpellError("down", "provider_error", "E_PROVIDER");
  return context.modifiedConfig;
}, context));
turn = 0;
await Agent.create({ name: "text_summarizer", provider: "fake", model: "echo" });
told.push(await executor.executeWithRecovery(async () => {
  if (++turn === 1) throw new LLMSpellError("long", "context_length_exceeded", "E_CONTEXT");
  return context.modifiedInput;
}, context));
try {
  await executor.executeWithRecovery(async () => {
    throw new ValidationError([{ message: "no" }]);
  });
} catch (error) { told.push(error.message); }
return told;"""

_TURNS: Final = """
order = "any"
[[turn]]
text = '{"summary": "banks"}'
expect = { contains = "quantum computing" }
[[turn]]
text = '{"result": "short"}'
expect = { contains = "preserveKeyInfo" }
"""

CASES: Final = (
    Case(
        "S27",
        "runs",
        "scrapes with a tool of a class of its own and has an agent look at it",
        after=_RESEARCH,
        files=_LIBRARIES,
        grants=("module:axios", "module:lodash", "module:moment", "module:cheerio"),
        check=_researched,
        remark="axios, lodash, moment and cheerio are small stand-ins in the spell's folder",
    ),
    Case("S28", "broken", "TypeScript: line 2, `interface`", code=6001),
    Case(
        "S29",
        "runs",
        "a research succeeds; rate limit, provider and length errors are recovered from",
        before='const agent = { config: { provider: "openai" } };',
        after=_RECOVERY,
        value=[
            "after 2",
            {"provider": "anthropic"},
            {"text": "short", "kept": 1},
            "Recovery failed: No recovery strategy for error type: validation",
        ],
        turns=_TURNS,
        output=(
            "Research successful: banks",
            "Rate limited. Waiting 0.01s before retry...",
            "Provider openai failed. Trying fallback: anthropic",
            "Attempt 1 failed: Validation failed: no",
        ),
        remark="`agent` of line 4537 is out of scope in the seed; the test has one",
    ),
)

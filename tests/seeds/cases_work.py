"""S38 to S42: tools found, chained, made, watched and remembered."""

from __future__ import annotations

from typing import Any, Final

from tests.seeds.case import Case
from tests.seeds.cases_first import tools

_NLP: Final = """
await Tools.create("summarizer", { description: "makes text short", category: "ai_ml",
  capabilities: ["text_processing", "nlp"], version: "1.2.0", execute: () => "" });
await Tools.create("old_one", { description: "older", category: "ai_ml",
  capabilities: ["text_processing", "nlp"], version: "0.9.0", execute: () => "" });
await Tools.create("converter", { description: "Convert data to another format",
  execute: () => "" });
await Tools.create("web_scraper", { description: "reads pages", category: "web_access",
  inputSchema: { type: "object", properties: { url: { type: "string" } } },
  examples: [{ name: "one page", input: { url: "https://a.example" } }], execute: () => "" });
"""

_CHAIN: Final = """
Tools.create("web_search", { execute = function(input)
  return { results = { { url = "https://a.example", title = input.query },
                       { url = "https://b.example", title = input.max_results } } }
end })
Tools.create("web_scraper", { execute = function(input)
  local pages = {}
  for _, url in ipairs(input.urls) do
    pages[#pages + 1] = { url = url, content = input.selectors.content .. " of " .. url }
  end
  return pages
end })
Tools.create("text_summarizer", { execute = function(input)
  return { summary = input.text, length = input.target_length }
end })
"""

_METRICS: Final = """
const documentText = "One two three. Four five!";
const calculateFleschKincaid = (text) => ({ score: text.length, level: "Standard" });
const calculateComplexity = () => ({ score: 0.3, level: "Low" });
await Tools.create("sentiment_analyzer", { execute: ({ language }) => ({ mood: language }) });
"""

# What Node has under this name, as far as the script uses it; no such module comes with llmspell.
_CRYPTO: Final = """
const require = (name) => {
  if (name !== "crypto") throw new Error("only crypto stands in here");
  const parts = [];
  const hash = { update: (text) => { parts.push(text); return hash; },
                 digest: (form) => form + parts.join("").length };
  return { createHash: () => hash };
};
let calls = 0;
await Tools.create("web_search", { execute: ({ query }) => ({ query, calls: ++calls }) });
"""


def _found(result: Any) -> None:
    capable, searched, web = result.value
    assert capable == ["summarizer"], "the older one has not the version"
    assert "converter" in searched and web == ["http_client", "web_scraper"]


def _chained(result: Any) -> None:
    value = result.value
    pages = "p of https://a.example\np of https://b.example\n"
    assert value["result"] == {"summary": pages, "length": "medium"}
    found = value["outputs"]["search_results"]["results"]
    assert [one["title"] for one in found] == ["artificial intelligence trends", 10]
    assert [step["success"] for step in value["steps"]] == [True] * 3


def _measured(result: Any) -> None:
    output, examples = result.value
    assert output["metrics"] == {
        "basic": {"characters": 25, "words": 5, "sentences": 3, "paragraphs": 1},
        "readability": {"score": 25, "level": "Standard"},
        "complexity": {"score": 0.3, "level": "Low"},
        "sentiment": {"result": {"mood": "en"}},
    }
    assert output["language"] == "en" and output["processed_at"].endswith("Z")
    assert examples == ["Basic Text Analysis"]


def _watched(result: Any) -> None:
    answers, stats, other = result.value
    assert answers == ["a", "b"] and other is None
    assert stats["calls"] == 2
    assert 0 <= stats["min_time"] <= stats["avg_time"] <= stats["max_time"] <= stats["total_time"]


CASES: Final = (
    Case(
        "S38",
        "runs",
        "valid JavaScript: tools found by capability, words and category",
        suffix=".js",
        before=_NLP,
        after="""
const names = (found) => found.map((tool) => tool.name);
return [names(textTools), names(searchResults), names(webTools)];""",
        check=_found,
        output=('url: { type: "string" }', 'name: "one page"'),
    ),
    Case(
        "S39",
        "runs",
        "three tools in a row; two inputs are functions of the context",
        before=_CHAIN,
        after="return result",
        check=_chained,
    ),
    Case(
        "S40",
        "runs",
        "a tool of the spell's own is registered and used",
        before=_METRICS,
        after="return [textAnalysis.result, "
        "(await customTool).getExamples().map((one) => one.name)];",
        check=_measured,
        remark="the output in its example does not belong to the example's text (X71)",
    ),
    Case(
        "S41",
        "runs",
        "a tool's execute is replaced by one that measures",
        before=tools("web_scraper"),
        after="""
local first = Tools.get("web_scraper"):execute({ url = "a" })
local second = Tools.webScraper.execute({ url = "b" })
return { { first.input.url, second.input.url }, PerformanceMonitor:get_stats("web_scraper"),
  PerformanceMonitor:get_stats("calculator") or JSON.null }""",
        check=_watched,
    ),
    Case(
        "S42",
        "runs",
        "the second call with an equal input comes from the spell's own cache",
        before=_CRYPTO,
        after="""
const input = { query: "machine learning trends", maxResults: 10 };
const again = await cachedToolExecution("web_search", input);
const anew = await cachedToolExecution("web_search", input, { useCache: false });
return [searchResult, again, anew].map((one) => [one.result.calls, one.cached]);""",
        value=[[1, False], [1, True], [2, False]],
        output=("Cache hit for web_search",),
        remark="Node's crypto is a stand-in; without it the script ends with 4008",
    ),
)

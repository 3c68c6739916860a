"""S38 to S42: tools found, chained, made, watched and remembered."""

from __future__ import annotations

from typing import Any, Final

from tests.seeds.case import Case
from tests.seeds.cases_first import javascript_tools, tools

_CHAIN: Final = """
Tools.create("web_search", { execute = function(input)
    return { results = { { url = "https://a.example", query = input.query, most = input.max_results }, { url = "https://b.example" } } }
end })
Tools.create("web_scraper", { execute = function(input)
    local pages = {}
    for _, url in ipairs(input.urls) do pages[#pages + 1] = { url = url, content = input.selectors.content .. " of " .. url } end
    return pages
end })
Tools.create("text_summarizer", { execute = function(input)
    return { summary = input.text, length = input.target_length }
end })
"""

CASES: Final = (
    Case(
        "S38",
        "runs",
        "x",
        suffix=".js",
        before=javascript_tools("web_scraper"),
        after="return [textTools, searchResults,webTools,toolInfo];",
        check=lambda r: print(r.value),
    ),
    Case(
        "S39",
        "runs",
        "three tools in a row; two inputs are functions of the context",
        before=_CHAIN,
        after="return result",
        check=lambda r: print(r.value),
    ),
    Case(
        "S40",
        "runs",
        "made",
        before="""
const documentText = "One two three. Four five!";
const calculateFleschKincaid = (text) => ({score: text.length}), calculateComplexity = (text) => 0.5;
"""
        + javascript_tools("sentiment_analyzer"),
        after="return [textAnalysis, (await customTool).getExamples()];",
        check=lambda r: print(r.value),
    ),
    Case(
        "S41",
        "runs",
        "made",
        before=tools("web_scraper"),
        after="""local first = Tools.get("web_scraper"):execute({ url = "a" })
Tools.get("web_scraper").execute({ url = "b" })
return { first, PerformanceMonitor:get_stats("web_scraper") }""",
        check=lambda r: print(r.value),
    ),
    Case(
        "S42",
        "runs",
        "made",
        before=javascript_tools("web_search")
        + """
const require = (name) => {if (name !== "crypto") throw new Error(name);
let seen = []; const hash = {update(t) {seen.push(t); return hash;}, digest(e) {return e + seen.join("")}}; return {createHash: (name) => hash}};
""",
        after="""const again = await cachedToolExecution("web_search", {query: "machine learning trends", maxResults: 10});
return [searchResult, again];""",
        check=lambda r: print(r.value),
    ),
)

"""S30 to S37: the catalogue's examples, category by category."""

from __future__ import annotations

from typing import Any, Final

from tests.seeds.case import Case
from tests.seeds.cases_first import javascript_tools, tools

_LISTED: Final = """
local shown = {}
for _, entry in ipairs(files.result) do shown[#shown + 1] = entry.path end
return { shown, fs.read("output/report.md"), fs.read("output/report.md.bak") }"""

# The outside world of S31: the request of the built-in tool goes to a stand-in, by a hook.
_CLIENT: Final = """
await Tools.create("api_stand_in", {
  description: "answers in the place of api.example.com",
  execute: ({ method, url, headers }) => ({ status: 200, method, url, headers }),
});
await Hooks.register("before_tool_execution", {
  name: "no_outside_world",
  execute: (context) => context.tool === "http_client"
    ? { action: "redirect", target: "api_stand_in" } : { action: "continue" },
});
"""

_TRANSFORMER: Final = """
Tools.create("data_transformer", {
    description = "filters, groups and sorts rows",
    execute = function(input)
        local rows, groups, order = {}, {}, {}
        for _, row in ipairs(input.data) do
            if input.operations[1].condition(row) then rows[#rows + 1] = row end
        end
        for _, row in ipairs(rows) do
            local key = row[input.operations[2].field]
            if not groups[key] then
                groups[key] = { category = key, sum_amount = 0, count = 0 }
                order[#order + 1] = groups[key]
            end
            groups[key].sum_amount = groups[key].sum_amount + row.amount
            groups[key].count = groups[key].count + 1
        end
        local field = input.operations[3].field
        table.sort(order, function(a, b) return a[field] > b[field] end)
        return { result = order }
    end
})
"""

CASES: Final = (
    Case(
        "S30",
        "runs",
        "a file is read and written elsewhere, with a backup; PDFs are listed",
        after=_LISTED,
        files={
            "research/data.txt": "the data",
            "documents/a.pdf": "%PDF",
            "documents/deep/b.pdf": "%PDF",
            "documents/c.txt": "no",
            "output/report.md": "old",
        },
        value=[["./documents/a.pdf", "./documents/deep/b.pdf"], "the data", "old"],
        grants=("read:.", "write:."),
    ),
    Case(
        "S31",
        "runs",
        "a search, a scraper, and the HTTP client",
        before=javascript_tools("web_search", "web_scraper") + _CLIENT,
        after="return [searchResults, scrapedContent, apiResponse];",
        check=lambda result: print(result.value),
    ),
    Case(
        "S32",
        "runs",
        "a function of the spell's goes to a tool as its filter",
        before=_TRANSFORMER + tools("statistical_analyzer"),
        after="return { transformed.result, stats }",
        files={"data/sales.csv": "category,amount\nbooks,1500\ntoys,900\ntoys,4000\nbooks,2000\n"},
        check=lambda result: print(result.value),
        grants=("read:.",),
    ),
    Case(
        "S33",
        "runs",
        "arithmetic, text, a date and a template",
        before=javascript_tools(
            "text_summarizer",
            "sentiment_analyzer",
            "named_entity_recognizer",
            "embedding_generator",
        )
        + 'const longArticleText = "long", userReview = "good", newsArticle = "news";',
        after="return [summary, sentiment, entities, embeddings];",
        check=lambda result: print(result.value),
    ),
    Case(
        "S34",
        "runs",
        "arithmetic, text, a date and a template",
        before=tools("process_executor", "environment_reader", "service_checker"),
        after="return {result, envVars, services}",
        check=lambda result: print(result.value),
    ),
    Case(
        "S35",
        "runs",
        "arithmetic, text, a date and a template",
        after="return [mathResult, processedText, formattedDate, renderedTemplate].map(r => r.result);",
        value=[
            6.414214,
            ["hello", "Universe"],
            "2025-01-20 10:30:00",
            "Hello Alice, your score is 95/100!",
        ],
    ),
    Case(
        "S36",
        "runs",
        "arithmetic, text, a date and a template",
        before=tools("email_sender", "slack_integration"),
        after="return Tools.get_stats()",
        check=lambda result: print(result.value),
    ),
    Case(
        "S37",
        "runs",
        "arithmetic, text, a date and a template",
        before=javascript_tools("pdf_processor", "image_processor", "academic_searcher"),
        after="return [pdfContent, processedImage, academicPapers];",
        check=lambda result: print(result.value),
    ),
    Case(
        "S38",
        "runs",
        "x",
        suffix=".js",
        before=javascript_tools("web_scraper"),
        after="return [textTools, searchResults,webTools,toolInfo];",
        check=lambda r: print(r.value),
    ),
)

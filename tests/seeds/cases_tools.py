"""S30 to S37: the catalogue's examples, category by category."""

from __future__ import annotations

from typing import Final

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
  execute: (context) => context.toolName === "http_client"
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
        "a search, a scraper and the built-in HTTP client, whose request a hook redirects",
        before=javascript_tools("web_search", "web_scraper") + _CLIENT,
        after="""return [searchResults.input.maxResults, scrapedContent.input.selectors.title,
  apiResponse.result];""",
        value=[
            10,
            "h1",
            {
                "status": 200,
                "method": "GET",
                "url": "https://api.example.com/data",
                "headers": {"Authorization": "Bearer ${API_TOKEN}", "Accept": "application/json"},
            },
        ],
    ),
    Case(
        "S32",
        "runs",
        "CSV is read by the built-in tool; a function of the spell's is a tool's filter",
        before=_TRANSFORMER + tools("statistical_analyzer"),
        after="return { transformed.result, stats.input.confidence_level, #stats.input.data }",
        files={"data/sales.csv": "category,amount\nbooks,1500\ntoys,900\ntoys,4000\nbooks,2000\n"},
        value=[
            [
                {"category": "toys", "sum_amount": 4000, "count": 1},
                {"category": "books", "sum_amount": 3500, "count": 2},
            ],
            0.95,
            2,
        ],
        grants=("read:.",),
    ),
    Case(
        "S33",
        "runs",
        "four tools that a model does the work of are asked",
        before=javascript_tools(
            "text_summarizer",
            "sentiment_analyzer",
            "named_entity_recognizer",
            "embedding_generator",
        )
        + 'const longArticleText = "long", userReview = "good", newsArticle = "news";',
        after="""return [summary.input.text, sentiment.input.confidenceThreshold,
  entities.input.entityTypes.length, embeddings.tool, embeddings.input.texts.length];""",
        value=["long", 0.7, 4, "embedding_generator", 3],
    ),
    Case(
        "S34",
        "runs",
        "three tools of the system's are asked",
        before=tools("process_executor", "environment_reader", "service_checker"),
        after="""return { result.input.args, envVars.input.mask_sensitive,
  services.input.checks[1].port, services.tool }""",
        value=[["status", "--porcelain"], True, 5432, "service_checker"],
    ),
    Case(
        "S35",
        "runs",
        "arithmetic, text, a date and a template, by the built-in tools",
        after="return [mathResult, processedText, formattedDate, renderedTemplate].map("
        "(answer) => answer.result);",
        value=[
            6.414214,
            ["hello", "Universe"],
            "2025-01-20 10:30:00",
            "Hello Alice, your score is 95/100!",
        ],
        remark="`log` is the decimal one (X72)",
        profile="high",
        grants=("tool:*",),
    ),
    Case(
        "S36",
        "runs",
        "a letter and a message are handed to their tools",
        before="local sent = {}\n"
        + "\n".join(
            f'Tools.create("{name}", {{ execute = function(input) sent[#sent + 1] = input end }})'
            for name in ("email_sender", "slack_integration")
        ),
        after="""return { #sent, sent[1].config.port, sent[1].email.attachments[1].filename,
  sent[2].channel, sent[2].message.blocks[1].type }""",
        value=[2, 587, "research_report.pdf", "#ai-reports", "section"],
    ),
    Case(
        "S37",
        "runs",
        "three special tools are asked",
        before=javascript_tools("pdf_processor", "image_processor", "academic_searcher"),
        after="""return [pdfContent.input.pages, processedImage.input.quality,
  academicPapers.input.date_range.start];""",
        value=[[1, 2, 3], 85, "2020-01-01"],
    ),
)

"""template_processor: a Handlebars-like template filled with values (TOOL-041)."""

from __future__ import annotations

from typing import Any

from llmspell.tools.schema import anything, boolean, mapping, record, string
from llmspell.tools.tool import Example, Host, Tool
from llmspell.tools.util.template_helpers import HELPERS
from llmspell.tools.util.template_parser import TEMPLATE_MAX, parse
from llmspell.tools.util.template_renderer import Renderer


async def _run(given: dict[str, Any], _: Host) -> dict[str, Any]:
    options = given["options"]
    renderer = Renderer(
        strict=options.get("strict", False), escapes=options.get("escape_html", True)
    )
    text = renderer.render(parse(given["template"]), given["variables"])
    return {"result": text, "metadata": {"length": len(text), "missing": renderer.missing}}


TOOL = Tool(
    name="template_processor",
    category="util",
    description="Fills a Handlebars-like template with values.",
    security_level="low",
    capabilities=("templates", "text_generation"),
    parameters=record(
        "",
        {
            "template": string(
                "{{a.b}}, {{{raw}}}, {{#if x}} … {{else if y}} … {{else}} … {{/if}}, #unless, "
                "#each (@index @key @first @last, as |item i|), #with, this, ../, {{! comment }}, "
                "{{~ ~}}, helpers and (sub expressions). Helpers: " + ", ".join(HELPERS) + ".",
                required=True,
                max_length=TEMPLATE_MAX,
            ),
            "variables": mapping("The values.", anything(""), default={}),
            "options": record(
                "",
                {
                    "strict": boolean("Whether a missing variable is an error.", default=False),
                    "escape_html": boolean(
                        "Whether {{x}} escapes & < > \" ' ({{{x}}} never does).", default=True
                    ),
                },
                default={},
            ),
        },
    ),
    output=string("the text; `metadata.missing` lists variables that were not there."),
    run=_run,
    examples=(
        Example(
            "The seeds' greeting",
            {
                "template": "Hello {{name}}, your score is {{score}}/{{maxScore}}!",
                "variables": {"name": "Alice", "score": 95, "maxScore": 100},
                "options": {"strict": True, "escapeHtml": False},
            },
            "Hello Alice, your score is 95/100!",
        ),
        Example(
            "A list",
            {
                "template": "{{#each items}}{{@index}}: {{upper name}}{{#unless @last}}, "
                "{{/unless}}{{else}}none{{/each}}",
                "variables": {"items": [{"name": "ink"}, {"name": "owl"}]},
            },
            "0: INK, 1: OWL",
        ),
        Example(
            "Escaping", {"template": "{{a}} {{{a}}}", "variables": {"a": "<b>"}}, "&lt;b&gt; <b>"
        ),
    ),
)

"""docs/fuzzing.md: what is fuzzed, the last long run by hand, and what it found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from docs.pages.tables import table
from tests.fuzz.targets import TARGETS, UNSEEN, corpus

REPORT: Final = Path(__file__).resolve().parents[1] / "fuzzing.json"

WHAT: Final = """\
Each target takes any bytes and raises only for a broken property: what is refused is refused
with a typed error, what is taken means the same to a second reader. Where there is one, that
second reader is somebody else's (`json`, `ipaddress`, `inet_aton`, `idna`, `urllib`, `h11`); else
it is a slow one of the test's own. `tests/fuzz/targets.py` lists the targets, `tests/fuzz/corpus`
holds their inputs: seeds, what covered more, and as `found-…` what once broke something.

In the tests each target runs over its corpus and some hundred mutations of it, seeded
(`tests/fuzz/test_targets.py`). The long run is made by hand, guided by coverage:

```text
pip install '.[fuzz,test]'
python -m tests.fuzz hosts --seconds 300 --atheris
```

Without `--atheris` the corpus is mutated blindly, which needs nothing installed. All of them, with
the figures below: `python -m tests.fuzz.long --seconds 185 --json docs/fuzzing.json`.
"""

FOUND: Final = (
    ("manifest, policy_file, settings", "an integer of over 4300 digits in a TOML file was a bare "
     "`ValueError`, a long hexadecimal one too when it was shown, deep nesting in a manifest a "
     "`RecursionError`: a spell's own text could end `llmspell run` with a traceback",
     "all are refused with a `ConfigurationError` (`spells/manifest`, `profiles/files`)"),
    ("hosts", "`ΒΟΛΟΣ` in capitals became another host than in every browser: `lower` of a whole "
     "word writes its last Σ as ς", "letters are lowered one by one (`policies/hostnames`)"),
    ("masks", "a secret with a backspace, form feed or DEL was not found in JSON text: it writes "
     "`\\b`, `\\f` and DEL itself", "all spellings are masked (`supervisor/masking`)"),
    ("expressions", "`max(1)` and `0x_` ended the calculator with an untyped error",
     "a value, and a sentence with its column (`tools/util`)"),
    ("dates", "`Do` twice in a format ended the date tool with an untyped error",
     "refused like every other part named twice (`tools/util/date_tokens`)"),
    ("json_schemas, spell_schemas", "`multipleOf: 0.1` of `1e308` ended the JSON tool, and in the "
     "schema of a spell's own tool the run, with an untyped error",
     "such a number is no multiple (`tools/data/json_schema`, `spells/tools/schemas`)"),
    ("json_schemas", "a `type` that is an object, `required` of objects or `dependentRequired` of "
     "a number ended the JSON tool with an untyped error", "refused as a wrong schema"),
    ("model_answers", "a model's JSON answer or tool arguments with half a surrogate pair, "
     "escaped, was taken and could then not be sent on",
     "no JSON, like any other that the channel can't carry (`spells/agents/values`)"),
)  # fmt: skip
"""Targets, what broke, what was mended. Their inputs are in the corpus."""


def render() -> str:
    """The whole page."""
    runs = {row["target"]: row for row in json.loads(REPORT.read_text("utf-8"))}
    rows = []
    for name, target in TARGETS.items():
        found = runs[name]
        blind = name in UNSEEN
        summary = (target.__doc__ or "").split("\n\n")[0].replace("\n   ", "")
        rows.append(
            (f"`{name}`", summary, found["executions"], found["seconds"],
             "not seen" if blind else found["coverage"], len(corpus(name)))
        )  # fmt: skip
    total = sum(found["executions"] for found in runs.values())
    return "\n".join(
        [
            "# Fuzzing\n",
            WHAT,
            "## Targets, and the last long run\n",
            f"{total} executions in all, on a machine with other work (`nice -n 19`). Coverage is "
            "counted in edges of the package that the target reached; `plan_records` runs in a "
            "process of its own under the address and undefined-behaviour sanitizers, where nobody "
            "counts.\n",
            table(("target", "what must hold", "executions", "s", "coverage", "inputs kept"), rows),
            "## What was found\n",
            table(("target", "what broke", "mended"), FOUND),
        ]
    )

# Release notes from commit subjects on standard input, one a line.
#
#   git log --format=%s v1.0..HEAD | llmspell run --profile high examples/basic/release_notes.py

import re

SECTIONS = {"feat": "New", "fix": "Fixed", "docs": "Documentation"}
SUBJECT = re.compile(r"(?P<type>[a-z]+)(\((?P<scope>[^)]+)\))?(?P<breaking>!)?: (?P<text>.+)")

breaking, sections, other = [], {title: [] for title in SECTIONS.values()}, 0

async for line in stdin.lines():
    match = SUBJECT.fullmatch(line.strip())
    if match is None or match["type"] not in SECTIONS:
        other += 1
        continue
    text = f"{match['scope']}: {match['text']}" if match["scope"] else match["text"]
    sections[SECTIONS[match["type"]]].append(text)
    if match["breaking"]:
        breaking.append(text)

print(f"# {params.get('version', 'Unreleased')}")
for title, lines in [("Breaking", breaking), *sections.items()]:
    if lines:
        print(f"\n## {title}\n")
        print("\n".join(f"- {line}" for line in lines))
if other:
    log.info("left out", commits=other)

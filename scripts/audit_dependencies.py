"""Offline audit of what is installed beside us (DEP-012).

Fails when a distribution of the run-time closure is outside its tested range, is on the list of
known-bad releases, carries a licence nobody looked at, or installs a `.pth` file that runs code at
every interpreter start (how litellm 1.82.7 was trojaned).
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

CLOSURE_MAX = 25
"""Distributions a core install may bring: every one is code we vouch for."""

KNOWN_BAD = {"litellm": {"1.82.7", "1.82.8"}, "quickjs": {"*"}}
"""Trojaned releases; and `quickjs`, which overwrites the module of `quickjs-ng`."""

LICENCES = re.compile(
    r"MIT|BSD|Apache|PSF|Python Software Foundation|MPL|ISC|Unlicense|0BSD|CC0", re.IGNORECASE
)


READ_BY_US = {"quickjs-ng": "MIT"}
"""Distributions whose metadata names no licence; what their licence file says."""

FIELDS = ("License-Expression", "License")


def requirements(name: str) -> list[str]:
    """Names that a distribution needs here, without its extras."""
    found = []
    for text in metadata.requires(name) or []:
        requirement, _, marker = text.partition(";")
        if "extra ==" in marker or "extra==" in marker:
            continue
        match = re.match(r"[A-Za-z0-9._-]+", requirement.strip())
        if match:
            found.append(match.group())
    return found


def closure(root: str) -> dict[str, metadata.Distribution]:
    """The installed distributions that `root` needs, itself left out."""
    found: dict[str, metadata.Distribution] = {}
    waiting = requirements(root)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # a requirement of another platform
        waiting += requirements(name)
    return found


def licence(distribution: metadata.Distribution) -> str:
    """All that the metadata says about the licence."""
    data = distribution.metadata
    parts = [text[:200] for name in FIELDS for text in data.get_all(name) or []]
    parts += [line for line in data.get_all("Classifier") or [] if line.startswith("License")]
    return " ".join(parts)


def start_up_code() -> list[str]:
    """`.pth` files in site-packages that run code, but for editable installs and setuptools."""
    found = []
    for folder in {Path(entry) for entry in sys.path if entry.endswith("-packages")}:
        for path in folder.glob("*.pth"):
            runs = any(line.startswith("import ") for line in path.read_text().splitlines())
            if runs and not path.name.startswith(("__editable__", "distutils-precedence", "_")):
                found.append(str(path))
    return found


def main() -> int:
    """Prints what is wrong. Returns 1 when anything is."""
    found = closure("llmspell")
    wrong = []
    if len(found) > CLOSURE_MAX:
        wrong.append(f"{len(found)} distributions in the core install (at most {CLOSURE_MAX})")
    for name, distribution in sorted(found.items()):
        print(f"  {name} {distribution.version}")
        if not LICENCES.search(licence(distribution) + READ_BY_US.get(name, "")):
            wrong.append(f"{name}: licence not known: {licence(distribution)!r}")
    for distribution in metadata.distributions():
        bad = KNOWN_BAD.get((distribution.metadata["Name"] or "").lower(), set())
        if distribution.version in bad or "*" in bad:
            wrong.append(f"{distribution.metadata['Name']} {distribution.version} is known bad")
    wrong += [f"{path} runs code at every interpreter start" for path in start_up_code()]
    for line in wrong:
        print(f"audit: {line}", file=sys.stderr)
    print(f"{len(found)} distributions, {len(wrong)} findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

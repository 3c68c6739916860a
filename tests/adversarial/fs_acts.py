"""Acts on files by one spell in each language, what each came to, and a look at a tree of files."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from llmspell.supervisor.audit.verify import verify
from tests.e2e.program import SUFFIXES, Program

Act = tuple[Any, ...]
"""Function of `fs`, its words, and perhaps a dict of options last."""

SPELLS: Final = {
    "lua": """
local out = {}
for _, act in ipairs(params.acts) do
  local words, options = {}, nil
  for i = 2, #act do
    if type(act[i]) == "table" then options = act[i] else words[#words + 1] = act[i] end
  end
  words[#words + 1] = options
  local ok, found = pcall(fs[act[1]], table.unpack(words))
  local typed = not ok and type(found) == "table" and found.code
  out[#out + 1] = ok and {"worked", found}
    or typed and {found.kind, found.rule or "", found.code} or {"raw", tostring(found)}
end
return out
""",
    "javascript": """
const out = [];
for (const [name, ...words] of params.acts) {
  try {
    out.push(["worked", (await fs[name](...words)) ?? null]);
  } catch (error) {
    out.push(error.code ? [error.kind, error.rule ?? "", error.code] : ["raw", String(error)]);
  }
}
return out;
""",
    "python": """
out = []
for name, *words in params["acts"]:
    options = words.pop() if words and isinstance(words[-1], dict) else {}
    try:
        out.append(["worked", await getattr(fs, name)(*words, **options)])
    except LLMSpellError as error:
        out.append([error.kind, error.rule or "", error.code])
    except BaseException as error:
        out.append(["raw", repr(error)])
out
""",
}


class Answer(NamedTuple):
    """What an act came to: `worked` with its value, or an error's kind, rule and code."""

    kind: str
    rule: str
    code: int
    value: Any

    @classmethod
    def of(cls, told: Sequence[Any]) -> Answer:
        """From what the spell says."""
        if told[0] == "worked":
            return cls("worked", "", 0, told[1] if len(told) > 1 else None)
        assert told[0] != "raw", f"no typed error: {told}"
        return cls(told[0], told[1], told[2], None)

    @property
    def short(self) -> str:
        """`worked`, `denied RULE`, or the error's kind."""
        return f"{self.kind} {self.rule}".strip()


class Tried(NamedTuple):
    """What one run came to."""

    answers: list[Answer]
    records: list[dict[str, Any]]

    @property
    def short(self) -> list[str]:
        """Every answer in short."""
        return [answer.short for answer in self.answers]

    def denied_on_record(self, target: str, rule: str) -> bool:
        """Whether the audit holds a denial of `target` by `rule`."""
        return any(
            item.get("allowed") is False and item["target"] == target and item["rule"] == rule
            for item in self.records
        )


def attempt(
    program: Program, acts: Iterable[Act], *flags: str | Path, language: str = "lua", **options: Any
) -> Tried:
    """Tries each act in one run; the run's audit must be whole."""
    tries = [list(act) for act in acts]
    record = program.folder / "acts.jsonl"
    record.unlink(missing_ok=True)
    result = program.result(
        SPELLS[language],
        SUFFIXES[language],
        *("--audit", record.name, "--limit", "calls=unlimited"),
        *("--param", f"acts={json.dumps(tries)}"),
        *map(str, flags),
        **options,
    )
    assert result["status"] == "done", result
    answers = [Answer.of(told) for told in result["value"]]
    assert len(answers) == len(tries)
    assert verify(record).ok, verify(record)
    return Tried(answers, [json.loads(line) for line in record.read_text().splitlines()])


def tree(folder: Path, without: str = "") -> dict[str, tuple[Any, ...]]:
    """Everything below a folder but for the entry `without`: mode, owner, links, content."""
    found: dict[str, tuple[Any, ...]] = {}
    for base, folders, files in os.walk(folder):
        if without and base == str(folder):
            folders.remove(without)
        for name in (*folders, *files):
            path = os.path.join(base, name)
            status = os.lstat(path)
            content: Any = None
            if stat.S_ISREG(status.st_mode):
                # One that may be run and not read is told by its size and time.
                small = status.st_size < 1 << 20 and os.access(path, os.R_OK)
                content = Path(path).read_bytes() if small else (status.st_size, status.st_mtime_ns)
            elif stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            key = os.path.relpath(path, folder)
            found[key] = (status.st_mode, status.st_uid, status.st_nlink, content)
    return found


_MOUNTS_AS_ROOT: Final = ("unshare", "--mount")
_MOUNTS_AS_ORDINARY: Final = ("unshare", "--user", "--map-current-user", "--keep-caps", "--mount")
_WITHOUT_RIGHTS: Final = ("setpriv", "--ambient-caps=-all", "--inh-caps=-all")


def mounting(script: str) -> tuple[str, ...]:
    """Words before a command so that it runs in mounts of its own, made by a shell script.

    Skips the test where this user can make none.
    """
    run = ("sh", "-ec", f'{script}\nexec "$@"', "sh")
    if os.geteuid() == 0:
        return (*_MOUNTS_AS_ROOT, *run)
    if subprocess.run([*_MOUNTS_AS_ORDINARY, "true"], capture_output=True, check=False).returncode:
        pytest.skip("an ordinary user mounts nothing on this machine")
    return (*_MOUNTS_AS_ORDINARY, *run, *_WITHOUT_RIGHTS)

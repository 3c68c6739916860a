"""What must hold of every run that a fault struck, read from its account and that of its twin.

The twin is the same run without a fault. A fault may be borne (then everything is as in the
twin), may end as a typed error inside the spell, or may end the run with a typed end. Nothing
else: no bare exception, no act without a record, no half of a file, nothing left running or open.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

Account = dict[str, Any]

ENDS: Final = frozenset(
    {"done", "spell_error", "denied", "limit", "violation", "killed", "isolation_refused",
     "internal"}
)  # fmt: skip

EXITS: Final = frozenset({0, 1, 2, 3, 4, 5, 6, 7, 130})

WRITES: Final = {
    # file that changes: the decision that has to stand in the audit before it does
    "old.txt": "old.txt",
    "out/deep/new.txt": "new.txt",
    "log.txt": "log.txt",
    "fresh.txt": "fresh.txt",
    "made": "made",
    "moved.txt": "old2.txt",
    "grown": "tree",
    "gone.txt": "gone.txt",
    "full": "full",
}


NEEDS: Final = {"get": "set", "batch": "set", "keep": "batch"}
"""Acts whose outcome is that of an earlier one, so that they differ once it failed."""

PREDICATES: Final = ("exists", "list")


def judged(account: Account, twin: Account) -> list[str]:
    """Everything that is wrong with a run, in words; nothing for a run as it must be."""
    if account.get("hung"):
        return ["it hung, or died without a word"]
    if "broken" in account:
        return [f"the test itself broke: {account['broken']}"]
    return [*_ending(account, twin), *_leavings(account, twin), *_files(account, twin),
            *_audit(account)]  # fmt: skip


def how(account: Account) -> str:
    """How a run ended, in a word or two, for the page."""
    if "raised" in account:
        return f"error {account['raised']['code']}"
    result = account.get("result", {})
    if "status" not in result:
        return f"exit {result['exit']}"
    if result.get("status") != "done":
        error = result.get("error") or {}
        return f"{result.get('status')}/{result.get('reason')} {error.get('code', '')}".strip()
    wrong = {value["code"] for value in _told(account).values() if _is_error(value)}
    return f"error {', '.join(map(str, sorted(wrong)))} in the spell" if wrong else "borne"


def _ending(account: Account, twin: Account) -> Iterator[str]:
    if "raised" in account:
        if not account["raised"]["typed"]:
            yield f"a bare error came out: {account['raised']}"
        return
    result = account["result"]
    if "status" not in result:
        if result["exit"] not in EXITS or "Traceback" in result["stderr"]:
            yield f"the command ended with {result['exit']}: {result['stderr'][-600:]}"
        told = result["printed"]
        same = told == twin["result"]["printed"] or account["case"]["scenario"] == "doctor"
        if result["exit"] == 0 and not same and '"code"' not in told:
            yield f"it ended well and printed something else: {told[:300]}"
        # Nobody reads what can't be written: there is no word to say then.
        spoken = "llmspell: " in result["stderr"] + account["stderr"]
        if result["exit"] and not spoken and "TerminalSink" not in str(account["case"]["faults"]):
            yield f"it failed without a word: {result}"
        return
    if result["status"] not in ENDS or (result["status"] != "done" and not result["reason"]):
        yield f"no typed end: {result['status']} {result['reason']}"
    if result["status"] not in ("done", "killed") and (result["error"] or {}).get("code") is None:
        yield f"an end without a code: {result['status']} {result['error']}"
    if result["status"] == "done":
        for name, expected in _told(twin).items():
            found = _told(account).get(name)
            if isinstance(found, dict) and _is_error(found):
                if not isinstance(found["code"], int):
                    yield f"{name}: an error without a code: {found}"
            elif name in PREDICATES and found < expected:
                continue  # What can't be looked at is not there (FS-49).
            elif _is_error(_told(account).get(NEEDS.get(name, ""))):
                continue
            elif _comparable(found) != _comparable(expected):
                yield f"{name}: {found} where the twin has {expected}"
        if (
            set(result["isolation"]["effects"].items())
            != set(twin["result"]["isolation"]["effects"].items())
            and not result["isolation"]["missing"]
        ):
            yield f"it ran with less than it says: {result['isolation']}"


def _leavings(account: Account, twin: Account) -> Iterator[str]:
    if account["children"]:
        yield f"processes are left: {account['children']}"
    leaked = [item for item in account["leaked"] if item not in twin["leaked"]]
    if len(account["leaked"]) > len(twin["leaked"]):
        yield f"descriptors are left: {leaked}"
    if account["litter"]:
        yield f"temporary files are left: {account['litter']}"
    if "Traceback" in account["stderr"]:
        yield f"a traceback on stderr: {account['stderr'][-1500:]}"


def _files(account: Account, twin: Account) -> Iterator[str]:
    from tests.faults.scenarios import OLD

    known = set(twin["files"]) | set(twin["before"])
    for name, found in account["files"].items():
        if name == "printed":
            continue
        if name not in known:
            yield f"an unknown file is left: {name}"
            continue
        allowed = {text for text in (twin["files"].get(name), twin["before"].get(name)) if text}
        if name in ("moved.txt",) or name.startswith("grown/"):
            allowed.add(OLD)
        if name == "cassette" and (not found or found.endswith("\n")):
            continue  # whole answers, or none
        if found not in allowed:
            yield f"{name} is neither old nor new: {len(found)} bytes, {found[:40]!r}…"
    for name in twin["before"]:
        # What was there is still there, whole, under its old or its new name, unless it was
        # to go.
        moved = {"old2.txt": "moved.txt"}.get(name)
        if name.startswith("tree"):
            moved = "grown" + name.removeprefix("tree")
        stays = name in twin["files"] or moved is not None
        if stays and name not in account["files"] and moved not in account["files"]:
            yield f"{name} is gone"
        if moved in account["files"] and name in account["files"] and twin["before"][name] != "/":
            yield f"{name} is there twice"


def _audit(account: Account) -> Iterator[str]:
    result = account.get("result") or {}
    records: list[dict[str, Any]] = []
    for name, found in account["audits"].items():
        records += found["records"]
        complete = result.get("audit_complete", False) and result.get("audit", "").endswith(name)
        if found["status"] != "ok" and complete:
            yield f"the audit is called complete and is {found['status']}: {found['what']}"
        if found["status"] == "broken" and found["what"] not in _CUT and not _unwritten(found):
            yield f"the audit is broken: {found['what']}"
    allowed = [str(record.get("target")) for record in records if _allows(record)]
    for file, word in WRITES.items():
        changed = account["files"].get(file) != account["before"].get(file)
        if changed and not any(word in target for target in allowed):
            yield f"{file} changed and no record allows it"


_CUT: Final = ("the record is cut in the middle",)


def _unwritten(found: dict[str, Any]) -> bool:
    return bool(found["what"] == "the file is empty")


def _allows(record: dict[str, Any]) -> bool:
    return record.get("event") == "decision" and record.get("allowed") is True


def _told(account: Account) -> dict[str, Any]:
    value = account["result"].get("value")
    return value if isinstance(value, dict) else {}


def _is_error(value: object) -> bool:
    return isinstance(value, dict) and {"code", "kind"} <= value.keys()


def _comparable(value: object) -> object:
    """A nested run's own session and time differ from run to run."""
    if isinstance(value, dict) and "session" in value:
        return {"status": value.get("status"), "value": value.get("value")}
    return value

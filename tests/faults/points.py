"""The named fail points: every I/O step of the trusted side, who takes it, and how it ends.

`endings.json` is what `python -m tests.faults.survey` observed: scenario → site → failure → end.
A site that stands neither there nor in `EXEMPT` fails `test_points.py`, so that no step of I/O can
be added without a fault that strikes it.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Final, NamedTuple

from tests.faults.sites import Site

ENDINGS: Final = Path(__file__).with_name("endings.json")

_HELPER: Final = (
    "runs in a helper process, whose death at any moment the home side bears "
    "(`tests/supervisor/shards`, `tests/supervisor/providers`)"
)
_SECOND: Final = "taken only while another failure is dealt with; some are struck together with it"
_BUILD: Final = "runs when llmspell is built, without a spell"

EXEMPT: Final[dict[str, str]] = {
    r"supervisor/shards/(main|shard|wire) .*": _HELPER,
    r"supervisor/providers/(main|serve|kernel) .*": _HELPER,
    r"supervisor/providers/(home|keys) .*": (
        "of real models only (extra `llm`); tested with a provider process of its own in "
        "`tests/supervisor/providers`"
    ),
    r"platform/linux/seccomp (_exported|build_programs) .*": _BUILD,
    r"profiles/compile .*": _BUILD,
    r"cli/attack .*": "the attacks of `doctor --attack` and what they aim at, beside no run",
    r"supervisor/services/dial _Metered\.start_tls net\.tls": (
        "a stream's own business, whose end is that of `net.read` and `net.write`"
    ),
    r"supervisor/services/gitfolders .*": (
        "asked of the names that make a folder a git folder; what can't be looked at counts as "
        "there (`test_faults.py`)"
    ),
    r"supervisor/services/changes FileChanges\.append os\.fchmod": (
        "of a file with setuid or setgid only; its error is that of the append, before a byte"
    ),
    r"cli/__init__ _open_streams .*": "before any command: without a null device none begins",
    r"cli/types .*": "writes editor types on a person's request, beside no run",
    r"cli/tool _input file\.read": "reads a person's standard input before anything is started",
    r"cli/interrupts Interrupts\.add os\.write": (
        "one byte into a pipe of its own that nobody fills; a full one is caught"
    ),
    r"platform/linux/process (_children|_parent|_kill_children|_peak_rss) .*": (
        "looks for what to kill at the end of a run, and for its peak of memory: taken or not by "
        "the moment; each error is caught and the waiter itself is killed instead"
    ),
    r"platform/linux/process Process\._signal .*": (
        "only for a process that did not end by itself; ESRCH is caught"
    ),
    r"platform/linux/probe _has_cgroup_kill .*": "`doctor` as root of a cgroup; errors are caught",
    r"platform/linux/zygote Forked\.pid .*": "a number for people; errors are caught",
    r"platform/linux/zygote Forked\._end_without_record .*": _SECOND,
    r"platform/linux/zygote Forked\.kill .*": "only for a worker that did not end by itself",
    r"platform/linux/zygote Zygote\._take_answer os\.close": "closing what a zygote sent unasked",
    r"platform/linux/process _handle os\.(close|kill|pipe|waitpid)": _SECOND,
    r"spells/state/keeping Keeping\.(backup|_back_up_in_time) os\.(lstat|unlink)": (
        "removes backups that are over their number or age; the state's file is not touched"
    ),
    r"spells/state/places (make_file os\.chmod|set_aside os\.rename)": (
        "repairs a file that another program left open to others, or damaged"
    ),
    r"supervisor/audit/places (_finished|rotate) os\..*|supervisor/audit/places _finished .*": (
        "rotation, after the end record: its errors are caught and fail no run"
    ),
    r"supervisor/audit/places _check_private os\.fchmod": (
        "closes a folder that others may read; its error refuses the run as that of `fstat` does"
    ),
    r"supervisor/guest_cache _compile os\.read": _SECOND,
    r"supervisor/guest_cache _make_in_memory .*": _SECOND,
    r"supervisor/guest_cache _publish os\.(open|fstat|sendfile|rename)": (
        "where there is no /proc to name a file by; shown in `tests/sandboxes/wasm`"
    ),
    r"supervisor/guest_image _write os\.lseek": "a hole in a file of its own in memory",
    r"supervisor/guests _check_version .*": "asked where a library's version is unknown",
    r"supervisor/shards/pipe Pipe\.press poll": "presses out what waits at a helper's end",
    r"supervisor/services/walk (Walker\._is_special|_Walk\.restart) .*": (
        "a second look at a handle that is open; taken on special file systems and absolute links"
    ),
    r"supervisor/services/changes (_append os\.ftruncate|_rename_new os\.rmdir)": _SECOND,
    r"supervisor/services/whole (_inherit os\.fchown|remove_leftovers os\.stat)": (
        "of a file of another owner; of a leftover that a killed writer made"
    ),
    r"supervisor/services/whole _forget os\.unlink": _SECOND,
    r"supervisor/audit/log AuditLog\._append os\.(fstat|ftruncate)": _SECOND,
    r"spells/state/(sqlite SqliteStore\.backup|vault Vault\._write) os\.unlink": _SECOND,
    r"llm/cassette _append os\.ftruncate": _SECOND,
    r".* os\.close": (
        "closing what was only read, a pipe, a socket or a handle on a process can't fail"
    ),
    r"platform/linux/(process _is_readable|zygote _readable) poll": (
        "poll(2) allocates nothing for under thirty descriptors, and these ask for one"
    ),
}
"""Sites (as patterns) that no fault of their own strikes, and why."""

TOGETHER: Final[tuple[tuple[str, tuple[tuple[str, str], ...]], ...]] = (
    ("files", (("supervisor/audit/log AuditLog._append os.write", "torn"),
               ("supervisor/audit/log AuditLog._append os.fstat", "EIO"))),
    ("files", (("supervisor/audit/log AuditLog._append os.write", "torn"),
               ("supervisor/audit/log AuditLog._append os.ftruncate", "EIO"))),
    ("files", (("supervisor/services/whole _unnamed os.open", "EIO"),
               ("supervisor/services/whole write_whole os.rename", "EIO"),
               ("supervisor/services/whole write_all os.write", "short"))),
    ("files", (("supervisor/services/changes _rename_new os.rename", "EIO"),
               ("supervisor/services/changes _rename_new os.rmdir", "EIO"))),
    ("cache", (("supervisor/guest_cache _open_folder os.makedirs", "EACCES"),
               ("supervisor/guest_cache _make_in_memory os.memfd_create", "EMFILE"))),
    ("played", (("llm/cassette _append os.write", "short"),)),
    ("sealed", (("spells/state/vault Vault._write os.rename", "EIO"),)),
)  # fmt: skip
"""Faults that strike in one run: the second while the first is dealt with."""


class Point(NamedTuple):
    """A fail point: a site, the scenario that takes it, and how each failure there ended."""

    site: Site
    scenario: str
    endings: dict[str, str]

    @property
    def name(self) -> str:
        """Its name: room, function and primitive."""
        return f"{self.site.module.replace('/', '.')}:{self.site.function}:{self.site.primitive}"


@functools.cache
def all_points() -> tuple[Point, ...]:
    """Every point, as the last survey found it."""
    kept = json.loads(ENDINGS.read_text(encoding="utf-8"))
    return tuple(
        Point(Site.of(site), scenario, endings)
        for scenario, sites in kept.items()
        for site, endings in sites.items()
    )


def why_exempt(site: Site) -> str | None:
    """Why no fault strikes a site by itself; None where one must."""
    for pattern, why in EXEMPT.items():
        if re.fullmatch(pattern, str(site)):
            return why
    return None

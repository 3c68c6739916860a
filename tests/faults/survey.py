"""`python -m tests.faults.survey`: strikes every point with every failure; writes the endings.

With `--missing` only what has no ending yet. It takes some minutes and belongs to nobody's CI:
there `test_faults.py` runs a part of it, or all with `LLMSPELL_FAULTS=all`. What must not be is
printed, and its point is not written.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from pathlib import Path

from tests.faults import running
from tests.faults.failures import failures_of
from tests.faults.judge import how, judged
from tests.faults.points import ENDINGS, why_exempt
from tests.faults.scenarios import SCENARIOS
from tests.faults.seams import STREAM
from tests.faults.sites import Site, all_sites

Endings = dict[str, dict[str, dict[str, str]]]


def _known() -> Endings:
    """What stands already, of sites that are still there."""
    there = {str(site) for site in all_sites()}
    kept: Endings = json.loads(ENDINGS.read_text(encoding="utf-8"))
    return {
        scenario: {
            site: ends
            for site, ends in sites.items()
            if site in there or Site.of(site)[:2] == STREAM
        }
        for scenario, sites in kept.items()
    }


def main() -> None:
    """Surveys all scenarios, cheapest first: each site is the first one's that takes it."""
    place = Path(tempfile.mkdtemp(prefix="faults-"))
    words = sys.argv[1:]
    only_missing = "--missing" in words
    cache = next((word for word in words if not word.startswith("--")), None)
    endings = _known() if only_missing else {}
    taken = {site for sites in endings.values() for site in sites}
    wrong: list[str] = []
    count = 0
    for name in SCENARIOS:
        (twin,) = running.run([running.case(name)], place, cache)
        assert not judged(twin, twin), (name, judged(twin, twin))
        sites = [
            Site.of(text)
            for text in sorted(twin["uses"])
            if text not in taken and why_exempt(Site.of(text)) is None
        ]
        sites = [site for site in sites if site in all_sites() or site[:2] == STREAM]
        cases = [
            running.case(name, [(str(site), kind)])
            for site in sites
            for kind in failures_of(site)
            if kind != "hang"
        ]
        taken |= {str(site) for site in sites}
        for account in running.run(cases, place, cache):
            count += 1
            ((site_text, kind, _),) = account["case"]["faults"]
            found = running.wrong_with(account, twin)
            wrong += [f"{name} {words}" for words in found]
            if not found:
                endings.setdefault(name, {}).setdefault(site_text, {})[kind] = how(account)
        print(name, len(cases), file=sys.stderr)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{count} faults at {len(taken)} points, {spent.ru_utime + spent.ru_stime:.0f} s of cpu")
    for line in wrong:
        print(line[:600])
    ENDINGS.write_text(json.dumps(endings, indent=1) + "\n", encoding="utf-8")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()

"""Mutants of what the broker's services check: paths, the walk to a file, hosts, requests, audit."""

# ruff: noqa: E501 (source is quoted as it stands)
from __future__ import annotations

from typing import Final

from tests.mutants.source import Change

PATHS: Final = "tests/policies/test_paths.py::"
FILES: Final = "tests/supervisor/services/test_files.py::"
HOSTS: Final = "tests/policies/test_hosts.py::"
WEB: Final = "tests/supervisor/services/test_web.py::"
WEB_BOUNDS: Final = "tests/supervisor/services/test_web_bounds.py::"
ALONE: Final = "tests/supervisor/services/test_alone.py::"
AUDIT: Final = "tests/supervisor/audit/test_audit.py::"


def _paths(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.policies.paths", old, new, what, tests)


def _walk(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.supervisor.services.walk", old, new, what, tests)


def _hosts(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.policies.hosts", old, new, what, tests)


def _web(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.supervisor.services.web", old, new, what, tests)


def _headers(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.supervisor.services.webheaders", old, new, what, tests)


def _url(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.supervisor.services.weburl", old, new, what, tests)


def _bodies(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.supervisor.services.bodies", old, new, what, tests)


def _log(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.supervisor.audit.log", old, new, what, tests)


CHANGES: Final = (
    # -- rules on paths ------------------------------------------------------------------------
    _paths(
        "path-operation", "        if operation not in OPERATIONS:\n            return deny(f", "        if False:\n            return deny(f",
        "an unknown right is judged like a known one", ALONE + "test_an_unknown_right_and_an_unknown_mode_are_named",
    ),
    _paths(
        "path-normal", "        if not _is_normal(path):", "        if False:",
        "paths with dots in them are judged as they stand", PATHS + "test_FS_01_what_is_not_normalised_is_denied",
    ),
    _paths(
        "path-own-folders", "        for folder in self._own:", "        for folder in ():",
        "llmspell's own folders are open", PATHS + "test_llmspells_own_folders_are_closed",
    ),
    _paths(
        "path-above-own", "if (folded[: len(folder)] == folder or above) and", "if folded[: len(folder)] == folder and",
        "a folder that holds an own one is movable", PATHS + "test_a_folder_that_holds_an_own_one_is_not_replaced",
    ),
    _paths(
        "path-protected", "        rule = protected_rule(folded)\n", "        rule = None\n",
        "names that are run as code are writable", PATHS + "test_FS_29_names_that_become_code_are_never_written",
    ),
    _paths(
        "path-tie", "if reach >= 0 and (reach, denial.pattern.literal) >= strength:", "if reach >= 0 and (reach, denial.pattern.literal) > strength:",
        "a tie is an allow", PATHS + "test_FS_33_a_tie_is_a_denial",
    ),
    _paths(
        "path-denials", "        for denial in self._denials:\n            if not denial.rule.concerns(operation):", "        for denial in ():\n            if not denial.rule.concerns(operation):",
        "denials are not looked at", PATHS + "test_FS_33_the_most_specific_wins_in_every_order",
    ),
    _paths(
        "path-folded", "for depth in (deepest(denial.pattern, parts), deepest(denial.folded, folded))", "for depth in (deepest(denial.pattern, parts),)",
        "another case or accent escapes a denial", PATHS + "test_FS_37_case_is_the_same_for_denials",
    ),
    _paths(
        "path-secrets", "depth = secret_depth(folded) if self.protects else None", "depth = None",
        "a grant of a folder grants the keys in it", PATHS + "test_credentials_are_read_only_when_named",
    ),
    _paths(
        "path-tree", "if denial.rule.concerns(operation) and could_be_below(denial.folded, folded):", "if False:",
        "a folder with something denied inside is movable", PATHS + "test_FS_08_a_folder_with_something_denied_inside_is_not_moved",
    ),
    # -- the walk ------------------------------------------------------------------------------
    _walk(
        "walk-nofollow", "HANDLE_OF_FOLDER: Final = HANDLE | os.O_DIRECTORY", "HANDLE_OF_FOLDER: Final = (HANDLE | os.O_DIRECTORY) & ~os.O_NOFOLLOW",
        "the kernel follows links on the way", FILES + "test_FS_03_FS_04_links_to_outside",
    ),
    _walk(
        "walk-last-link", "        if not stat.S_ISLNK(status.st_mode):\n            opened", "        if True:\n            opened",
        "a link at the end is taken for the file", FILES + "test_FS_03_FS_04_links_to_outside",
    ),
    _walk(
        "walk-outside", 'if target != self.root.real and not target.startswith(self.root.real.rstrip("/") + "/"):', "if False:",
        "an absolute link may lead anywhere", FILES + "test_FS_03_FS_04_links_to_outside",
    ),
    _walk(
        "walk-links", "        if self.links > LINKS_MAX:", "        if False:",
        "links are followed for ever", FILES + "test_FS_04_mazes_of_links_end",
    ),
    _walk(
        "walk-second-verdict", "            judge(place.path)\n        except BaseException:", "            pass\n        except BaseException:",
        "where a walk ended is not judged", ALONE + "test_the_end_of_every_walk_is_judged",
    ),
    _walk(
        "walk-special", "            if not special_allowed and self._is_special(place):", "            if False:",
        "kernel file systems are open", FILES + "test_FS_14_FS_16_kernel_file_systems",
    ),
    Change(
        "open-regular", "llmspell.supervisor.services.files", "    if not same_volume or not stat.S_ISREG(status.st_mode):", "    if False:",
        "what became a FIFO since it was looked at is read", (ALONE + "test_FS_26_what_became_something_else_is_not_opened",),
    ),
    Change(
        "read-regular", "llmspell.supervisor.services.files", '    if place.kind != "file":\n', "    if False:\n",
        "devices, sockets and FIFOs are opened", (FILES + "test_FS_23_FS_24_special_files_do_not_hang",),
    ),
    Change(
        "read-charged", "llmspell.supervisor.services.files", '    ctx.reserve("transfer", charged)\n', "",
        "bytes are read before they are charged", ("tests/supervisor/services/test_files_bounds.py::test_transfer_is_charged_before",),
    ),
    # -- hosts ---------------------------------------------------------------------------------
    _hosts(
        "host-mode", "        if self.mode not in MODES:", "        if False:",
        "an unknown mode is judged like a known one", ALONE + "test_an_unknown_right_and_an_unknown_mode_are_named",
    ),
    _hosts(
        "host-scheme", "        if scheme not in DEFAULT_PORTS:\n            return deny", "        if False:\n            return deny",
        "any scheme is judged like https", HOSTS + "test_NW_21_other_schemes_are_denied",
    ),
    _hosts(
        "host-denied", "        if any(_refuses(rule, target, at) for rule in self.denied):", "        if False:",
        "a denied host is reached where it is listed too", HOSTS + "test_a_denial_always_wins",
    ),
    _hosts(
        "host-label", 'return host.name.endswith("." + self.host)', "return host.name.endswith(self.host)",
        "evilexample.com is below example.com", HOSTS + "test_NW_14_labels_match_exactly",
    ),
    _hosts(
        "host-metadata", 'exact = kind != "metadata" or rule.network.num_addresses == 1', "exact = True",
        "a granted block opens the cloud's credentials", HOSTS + "test_a_granted_block_does_not_open_the_metadata_service",
    ),
    _hosts(
        "host-address", "        if kind == PUBLIC:\n            return allow", "        if True:\n            return allow",
        "a name may lead to a private address", HOSTS + "test_NW_18_NW_19_a_granted_name_does_not_grant_private_addresses",
    ),
    _hosts(
        "host-plain", '        if scheme != "https" and not plain:', "        if False:",
        "plain text needs no grant of its own", HOSTS + "test_plain_text_needs_its_own_grant",
    ),
    Change(
        "address-every", "llmspell.supervisor.services.dial", "    for address in answers:\n        verdict", "    for address in answers[:1]:\n        verdict",
        "only the first answer of a name is judged", (WEB + "test_NW_19_any_private_answer_denies",),
    ),
    Change(
        "address-embedded", "llmspell.policies.addresses", "    inner = embedded(value)\n    if inner is not None:\n        return classify(inner)\n", "",
        "an IPv4 address inside an IPv6 one is not looked at", (HOSTS + "test_NW_12_what_is_private_stays_so_inside_ipv6",),
    ),
    # -- requests ------------------------------------------------------------------------------
    _web(
        "web-first-hop", "        self._judge(ctx, hop)\n        if hop.body", "        if hop.body",
        "a request is not judged by its host", WEB + "test_NW_26_other_ports",
    ),
    _web(
        "web-next-hop", "location or \"\")\n            self._judge(ctx, hop)\n", "location or \"\")\n",
        "a redirect is not judged by its name", ALONE + "test_NW_21_a_redirect_is_judged_by_its_name_too",
    ),
    _web(
        "web-redirects", "            if followed > REDIRECTS_MAX:", "            if followed > REDIRECTS_MAX + 1:",
        "one redirect more is followed", WEB + "test_NW_22_redirects_end",
    ),
    _web(
        "web-credentials", "            headers = without_credentials(headers)\n", "            pass\n",
        "credentials go along to another origin", WEB + "test_NW_23_credentials_stay_with_their_origin",
    ),
    _web(
        "web-request-body", "if body is not None and not isinstance(most, Unlimited) and len(body) > most:", "if False:",
        "a request may have any size", WEB_BOUNDS + "test_NW_31_too_large_a_request_is_never_sent",
    ),
    _headers(
        "header-ours", "if meant in _OURS or meant.startswith(_OUR_PREFIXES):", "if False:",
        "a spell may set Host, framing and proxy headers", WEB + "test_NW_17_NW_24_NW_36_headers",
    ),
    _headers(
        "header-value", "        if _BAD_VALUE.search(text):", "        if False:",
        "a header's value may hold line breaks", WEB + "test_NW_17_NW_24_NW_36_headers",
    ),
    _headers(
        "header-name", "        if not _NAME.fullmatch(name):", "        if False:",
        "a header's name may be anything", WEB + "test_NW_17_NW_24_NW_36_headers",
    ),
    _headers(
        "header-count", "if len(checked) > HEADERS_MAX or size > BYTES_MAX:", "if False:",
        "any number of headers", WEB + "test_NW_17_NW_24_NW_36_headers",
    ),
    _url(
        "url-controls", 'if any(character <= " " or character in "\\x7f\\\\" for character in text):', "if False:",
        "a URL may hold spaces, line breaks and backslashes", WEB + "test_NW_13_NW_16_NW_17_urls_that_are_none",
    ),
    _url(
        "url-user", '    if "@" in authority:', "    if False:",
        "a URL may hold a user name", ALONE + "test_a_user_name_in_a_url_is_named",
    ),
    _bodies(
        "body-ratio", "if self.given > RATIO_FROM and self.given > RATIO_MAX * self.taken:", "if False:",
        "an answer may unpack to any size below the cap", "tests/supervisor/services/test_bodies.py::test_NW_28_the_ratio_of_what_is_unpacked_is_bounded",
    ),
    # -- the record ----------------------------------------------------------------------------
    _log(
        "audit-raises", "        if self._strict:", "        if False:",
        "what can't be recorded happens all the same", AUDIT + "test_IP_23_a_record_that_can_not_be_kept_denies",
    ),
    _log(
        "audit-short", "            if written != len(line):", "            if False:",
        "half a record counts as one", AUDIT + "test_IP_23_a_record_that_can_not_be_kept_denies",
    ),
    _log(
        "audit-taken-back", "                    os.ftruncate(self._handle, self._size)", "                    pass",
        "half a record stays", AUDIT + "test_IP_23_a_record_that_can_not_be_kept_denies",
    ),
    _log(
        "audit-synced", "        if effect and self._sync_effects:", "        if False:",
        "the record of an effect is not on the disk before it", AUDIT + "test_effects_are_synced_where_asked",
    ),
    _log(
        "audit-cap", "        full = self._seq >= RECORDS_MAX or self._size >= BYTES_MAX\n", "        full = False\n",
        "records fill the disk", AUDIT + "test_SL_14_records_are_capped_and_counted",
    ),
    _log(
        "audit-chain", "        self.head = digest\n", "",
        "records are not chained", AUDIT + "test_a_whole_file_is_ok",
    ),
)  # fmt: skip

MUTANTS: Final = tuple(change.mutant() for change in CHANGES)

"""Mutants of the way of a call: schema, budget, verdict, act, mask, record, reply, end."""

# ruff: noqa: E501 (source is quoted as it stands)
from __future__ import annotations

from typing import Final

from tests.mutants.source import Change

SESSION: Final = "tests/supervisor/test_session.py::"
EDGES: Final = "tests/supervisor/test_session_bounds.py::"
BENCH: Final = "tests/supervisor/test_toolbench.py::"
INLINE: Final = "tests/supervisor/test_inline.py::"
STEPS: Final = "tests/supervisor/test_broker.py::"
MASK: Final = "tests/supervisor/test_masking.py::"
ADMISSION: Final = "tests/supervisor/test_admission.py::"
NAMES: Final = "tests/policies/test_names.py::"


def _broker(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.supervisor.broker", old, new, what, tests)


def _session(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.supervisor.session", old, new, what, tests)


def _peers(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.supervisor.peers", old, new, what, tests)


def _bench(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.supervisor.toolbench", old, new, what, tests)


def _budget(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.policies.budget", old, new, what, tests)


def _masking(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.supervisor.masking", old, new, what, tests)


def _plan(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.supervisor.plan", old, new, what, tests)


def _ending(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.supervisor.ending", old, new, what, tests)


def _decide(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.supervisor.decide", old, new, what, tests)


def _admission(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.supervisor.admission", old, new, what, tests)


CHANGES: Final = (
    # -- the broker ----------------------------------------------------------------------------
    _broker(
        "verdict-true", "allowed = verdict.allowed is True", "allowed = bool(verdict.allowed)",
        "a verdict that is merely truthy allows",
        SESSION + "test_IP_22_only_a_verdict_that_allows_in_so_many_words_allows",
    ),
    _broker(
        "verdict-obeyed", "        if not allowed:\n            raise", "        if False:\n            raise",
        "a denial is recorded and the act goes on",
        SESSION + "test_a_denial_is_typed_recorded_and_listed_and_its_twin_succeeds",
    ),
    _broker(
        "record-before-act",
        '        self._broker._audit.record("decision", fields, effect=action not in LOOKING)\n',
        "", "an allowed act leaves no record",
        SESSION + "test_a_run_from_hello_to_its_result",
    ),
    _broker(
        "record-synced", "effect=action not in LOOKING", "effect=False",
        "the record of an effect may still be in memory when the act happens",
        STEPS + "test_IP_23_effects_are_marked_for_the_disk_and_looks_are_not",
    ),
    _broker(
        "record-of-denial",
        '        self._audit.record("decision", {**fields, "code": code, "trace_id": trace})\n', "",
        "a denial leaves no record",
        SESSION + "test_a_denial_is_typed_recorded_and_listed_and_its_twin_succeeds",
    ),
    _broker(
        "denial-kept", "        self.keep_denial(Denial(method, action, target, verdict.rule, "
        "verdict.hint))\n", "", "the result does not list a denial",
        SESSION + "test_a_denial_is_typed_recorded_and_listed_and_its_twin_succeeds",
    ),
    _broker(
        "denials-bounded", "if len(self.denials) < DENIALS_KEPT:", "if True:",
        "a spell that is denied for ever fills the memory",
        STEPS + "test_RS_06_the_result_lists_a_hundred_denials_and_the_audit_all",
    ),
    _broker(
        "call-charged", "        self._budget.reserve(\"events\" if method_name == NOT_COUNTED else "
        "\"calls\", 1)\n", "", "calls cost nothing",
        SESSION + "test_RS_27_the_call_budget_is_terminal_and_counts_failures",
    ),
    _broker(
        "method-unknown", "        if method is None:\n            raise Missing(",
        "        if method is None:\n            method = next(iter(self._methods.values()))"
        "  # type: ignore\n        if False:\n            raise Missing(",
        "an unknown function is another one",
        SESSION + "test_an_unknown_function_is_typed",
    ),
    _broker(
        "needs-declared", "if needs is not None and method.need not in needs:", "if False:",
        "a tool may do what it did not declare",
        BENCH + "test_IP_28_a_tool_worker_has_only_what_its_tool_declared",
    ),
    _broker(
        "arguments-checked", "return method, context, method.check(args)",
        "return method, context, dict(args)", "arguments reach a service unchecked",
        STEPS + "test_arguments_are_checked_before_the_service_sees_them",
    ),
    _broker(
        "verdict-made", "            if not context.decided:", "            if False:",
        "a service that forgets its verdict is not found out",
        SESSION + "test_a_service_that_forgets_its_verdict_is_our_own_error",
    ),
    _broker(
        "verdict-noted", "        self.decided = True\n", "        pass\n",
        "a verdict is not noted (every act is then our own error)",
        SESSION + "test_a_run_from_hello_to_its_result",
    ),
    _broker(
        "harmless-recorded",
        '            self._audit.record("call", {"origin": context.origin, "method": method.name})',
        "            pass", "a call without effect leaves no record",
        STEPS + "test_every_call_leaves_its_record",
    ),
    _broker(
        "reply-masked", "        return self._mask(value)", "        return value",
        "an answer may hold a registered secret",
        STEPS + "test_NW_34_answers_and_errors_are_masked",
    ),
    _broker(
        "error-masked", "wire: dict[str, Any] = self._mask(error.to_wire())",
        "wire: dict[str, Any] = error.to_wire()", "an error may hold a registered secret",
        STEPS + "test_NW_34_answers_and_errors_are_masked",
    ),
    _broker(
        "failure-recorded", "        if not isinstance(error, Denied):\n", "        if False:\n",
        "a call that fails leaves no record", STEPS + "test_every_call_leaves_its_record",
    ),
    Change(
        "verdict-allows", "llmspell.policies.verdict",
        "return isinstance(answer, Verdict) and answer.allowed is True",
        "return bool(answer)", "any answer of a policy allows that is not false",
        (NAMES + "test_EN_08_only_an_explicit_allow_allows",),
    ),
    # -- the session ---------------------------------------------------------------------------
    _session(
        "window-of-calls", "if len(peer.calls) >= OUTSTANDING_MAX:", "if False:",
        "any number of calls may be under way", EDGES + "test_IP_29_the_window_is_64_calls",
    ),
    _session(
        "window-of-invokes", "if len(peer.invokes) >= INVOKES_MAX:", "if False:",
        "any number of callbacks may be under way",
        EDGES + "test_IP_29_64_callbacks_are_under_way",
    ),
    _session(
        "calls-counted", "            self.broker.count(name)\n", "",
        "a worker's calls are not counted",
        SESSION + "test_RS_27_the_call_budget_is_terminal_and_counts_failures",
    ),
    _session(
        "calls-terminal", 'if isinstance(refused, LimitExceeded) and refused.limit == "calls":',
        "if False:", "a worker may go on calling beyond its budget",
        SESSION + "test_RS_27_the_call_budget_is_terminal_and_counts_failures",
    ),
    _session(
        "identity-by-channel",
        "needs = None if peer.number == MAIN else self.toolbench.needs(peer)", "needs = None",
        "a tool worker counts as the spell itself",
        BENCH + "test_IP_28_a_tool_worker_has_only_what_its_tool_declared",
    ),
    _session(
        "identity-recorded", "self.broker.admit(name, message.args, peer.origin, needs)",
        'self.broker.admit(name, message.args, "spell", needs)',
        "what a tool asks is recorded as the spell's",
        BENCH + "test_IP_28_a_tool_worker_has_only_what_its_tool_declared",
    ),
    _session(
        "answer-unasked", "            if done is None:\n                raise",
        "            if done is None:\n                return\n            if False:\n                raise",
        "an answer to nothing is passed over",
        SESSION + "test_an_answer_to_nothing_asked_is_a_violation",
    ),
    _session(
        "answer-once", "done = peer.invokes.pop(message.id, None)",
        "done = peer.invokes.get(message.id)", "a callback may be answered twice",
        EDGES + "test_IP_11_a_callback_is_answered_once",
    ),
    _session(
        "reply-once", "        if call in peer.calls:\n            del peer.calls[call]\n",
        "        if True:\n", "a call that was taken back is answered all the same",
        SESSION + "test_a_cancelled_call_is_abandoned_and_never_answered",
        EDGES + "test_IP_29_the_window_moves_on",
    ),
    _session(
        "isolation-judged", "        if refusal is not None:", "        if False:",
        "a spell is sent to a worker that is not confined",
        SESSION + "test_nothing_of_the_spell_is_sent_before_isolation_is_proven",
    ),
    _session(
        "isolation-recorded",
        '            self.audit.record("isolation", isolation._asdict())\n', "",
        "what was achieved is not on record", SESSION + "test_a_run_from_hello_to_its_result",
    ),
    _session(
        "end-is-final", "        if peer.ending or self._end is not None:\n            return 0\n",
        "", "bytes of a worker whose end was decided still act",
        EDGES + "test_bytes_that_come_after_the_end_do_nothing",
    ),
    _session(
        "end-within-a-batch",
        "                if self._end is not None or peer.ending:\n                    return 0\n",
        "", "what a worker sent behind its last message still acts",
        EDGES + "test_calls_behind_the_output_that_ended_the_run_do_nothing",
    ),
    _session(
        "end-first-counts", "        if self._end is not None:\n            return\n"
        "        self._end = how", "        self._end = how", "a later end overwrites the first",
        EDGES + "test_the_first_end_counts",
    ),
    _session(
        "end-abandons", "        for token in self._performing:\n"
        "            self.effects.append(Abandon(token))\n", "",
        "services go on after the end",
        SESSION + "test_RS_11_the_wall_limit_bites_also_while_a_call_is_under_way",
    ),
    _session(
        "end-kills", "            if not peer.exited:\n                self.effects.append("
        "End(peer.number))\n", "", "the worker lives on after the end",
        SESSION + "test_a_run_from_hello_to_its_result",
    ),
    _session(
        "late-answer", "        if pending is None or self._end is not None:\n            return\n"
        "        try:", "        if pending is None:\n            return\n        try:",
        "an answer that comes after the end is still taken",
        EDGES + "test_an_act_that_ends_after_the_run_is_recorded_by_nobody",
    ),
    _session(
        "outbox-bound", "if size > OUTBOX_MAX and self._end is None:", "if False:",
        "answers pile up for a worker that does not read",
        EDGES + "test_IP_16_32_mib_may_wait_for_a_worker",
    ),
    _session(
        "wall", "if self.wall_deadline is not None and now >= self.wall_deadline:", "if False:",
        "a run has no end in time",
        SESSION + "test_RS_11_the_wall_limit_bites_also_while_a_call_is_under_way",
    ),
    _session(
        "time-looked-at", "                peer.connection.check_time(now)\n",
        "                pass\n", "nobody looks whether a message takes too long",
        EDGES + "test_IP_02_a_message_that_never_ends_ends_the_run",
    ),
    _session(
        "start-deadline", "if peer.start_deadline is not None and now >= peer.start_deadline:",
        "if False:", "a worker that never says hello is waited for",
        SESSION + "test_a_worker_that_never_says_hello_is_ended",
    ),
    _session(
        "close-deadline", "elif peer.close_deadline is not None and now >= peer.close_deadline:",
        "elif False:", "a worker without its channel goes on",
        SESSION + "test_IP_18_a_worker_that_closes_its_channel_and_goes_on_is_killed",
    ),
    _session(
        "output-limit", "        if self.printed.over:", "        if False:",
        "a spell may print for ever",
        SESSION + "test_RS_06_output_is_cut_with_a_marker_and_ends_the_run",
    ),
    _session(
        "answer-too-large", "        except (Malformed, FrameError) as error:\n            too_large",
        "        except ZeroDivisionError as error:\n            too_large",
        "an answer over the channel's bound ends the run",
        EDGES + "test_IP_26_an_answer_that_can_not_be_carried_is_a_typed_error",
    ),
    _ending(
        "service-words", "isinstance(error, LlmspellError) else service_failed(error, whose)",
        "isinstance(error, LlmspellError) else InternalError(str(error))", "a spell reads what a service's error says",
        INLINE + "test_a_service_that_fails_says_no_word_of_its_own",
    ),
    _peers(
        "backlog-bound",
        "return self.unsent + peer.waiting > OUTBOX_PAUSE or self.to_perform > 0",
        "return self.to_perform > 0",
        "whole turns of calls are answered to a worker that does not read",
        INLINE + "test_IP_16_what_would_be_answered_to_nobody_is_not_done",
    ),
    _peers(
        "backlog-acts",
        "> OUTBOX_PAUSE or self.to_perform > 0",
        "> OUTBOX_PAUSE",
        "acts pile up for a driver that performs them",
        INLINE + "test_IP_16_one_act_at_a_time_where_the_driver_performs",
    ),
    _peers(
        "backlog-order",
        "if not peer.inbox and not self._is_full(peer):",
        "if not self._is_full(peer):",
        "a message overtakes those that are held",
        INLINE + "test_messages_keep_their_order_while_some_are_held",
    ),
    _peers(
        "backlog-exited",
        "while peer.inbox and (peer.exited or not self._is_full(peer)):",
        "while peer.inbox and not self._is_full(peer):",
        "what a worker said before it ended is lost",
        INLINE + "test_IP_16_what_a_worker_said_before_it_ended_counts_and_is_answered_to_nobody",
    ),
    _peers(
        "backlog-dropped",
        "        self.held -= len(peer.inbox)\n        peer.inbox.clear()",
        "        pass",
        "what was held goes on after the end",
        INLINE + "test_IP_16_what_was_held_is_forgotten_with_the_run",
    ),
    _session(
        "waiting-told",
        "        peer.waiting = size\n",
        "",
        "nobody knows how much waits for a worker",
        INLINE + "test_IP_16_what_would_be_answered_to_nobody_is_not_done",
    ),
    # -- tool workers --------------------------------------------------------------------------
    _bench(
        "tool-verdict", '        context.judge(verdict, action="tool", target=tool.name)\n', "",
        "a denied tool runs", BENCH + "test_an_unknown_or_denied_tool_starts_nothing",
    ),
    _bench(
        "tool-idle-needs", "return frozenset() if peer.job is None else peer.job.needs",
        "return frozenset({'read'}) if peer.job is None else peer.job.needs",
        "a tool worker with no work may ask for files",
        BENCH + "test_an_idle_tool_worker_may_ask_for_nothing",
    ),
    _bench(
        "tool-rate", "        if not limiter.take(now):", "        if False:",
        "a tool's rate is not held", BENCH + "test_SEC_021_a_tools_rate_limit_bites",
    ),
    _bench(
        "tool-breaker", "if breaker is not None and not breaker.allow(self._session.now):",
        "if False:", "a tool that keeps breaking is tried for ever",
        BENCH + "test_SEC_037_a_tool_that_keeps_breaking_rests",
    ),
    _bench(
        "tool-deadline", "if job is not None and job.deadline is not None and now >= job.deadline:",
        "if False:", "a tool may take for ever",
        BENCH + "test_RS_13_a_tool_that_takes_too_long_is_ended_alone",
    ),
    _bench(
        "tool-workers", "and alive < TOOL_WORKERS_MAX:", "and True:",
        "any number of tool workers", BENCH + "test_at_most_so_many_workers_and_the_rest_wait",
    ),
    _bench(
        "tool-functions", "            elif holds_callback(value):", "            elif False:",
        "what a tool read becomes a function of the spell's",
        BENCH + "test_data_that_a_tool_read_is_no_function_of_the_spells",
    ),
    _bench(
        "tool-withdrawn", "        self._queue = [", "        _ = [",
        "inputs of calls that were taken back pile up",
        BENCH + "test_IP_29_calls_that_are_taken_back_leave_the_queue",
    ),
    # -- what a hello proves, and what an end means --------------------------------------------
    _plan(
        "engine-named", "if hello.engine != engine_name(role, self.spell.engine):", "if False:",
        "another program may answer in a worker's place",
        EDGES + "test_IP_12_a_worker_of_another_engine_is_refused",
    ),
    _plan(
        "limits-held", 'if level != "none" and "rlimits" not in hello.layers:', "if False:",
        "a worker without its limits is as good as one with them",
        EDGES + "test_EN_06_a_worker_without_its_limits_is_refused",
    ),
    _plan(
        "high-never-degrades", 'return confinement.allow_degraded is True and confinement.level != '
        '"high"', "return confinement.allow_degraded is True", "`high` may be loosened by a flag",
        EDGES + "test_EN_01_high_is_never_degraded",
    ),
    _ending(
        "denial-claimed", 'if error.kind == "denied" and any(item.rule == error.rule for item in '
        "denials):", 'if error.kind == "denied":', "a spell may claim that it was denied",
        SESSION + "test_a_claimed_denial_that_never_was_is_a_spell_error",
    ),
    _decide(
        "params-bounded", "if len(options.params) > PARAMS_MAX or len(options.args) > ARGS_MAX:",
        "if False:", "any number of parameters and arguments",
        STEPS + "test_parameters_and_arguments_are_bounded",
    ),
    _decide(
        "processes-limit", 'if level != "none" and limits.processes != 0:', "if False:",
        "more processes may be asked for where none can be held",
        STEPS + "test_limits_that_a_level_can_not_hold_are_refused",
    ),
    _decide(
        "threads-limit", 'if level in ("medium", "high") and limits.threads not in (0, 1):',
        "if False:", "more threads may be asked for where one is all",
        STEPS + "test_limits_that_a_level_can_not_hold_are_refused",
    ),
    _decide(
        "record-is-ours",
        "for path in (options.audit, options.policy_file) if path]",
        "for path in (options.policy_file,) if path]",
        "a spell may write the audit of its own run",
        STEPS + "test_SL_13_the_record_of_a_run_is_closed_to_it",
    ),
    # -- budget --------------------------------------------------------------------------------
    _budget(
        "budget-short-cut", "if limit is UNLIMITED or used <= limit:", "if True:",
        "the short cut charges beyond the limit",
        "tests/policies/test_remembered.py::test_the_last_call_within_the_limit_and_the_first_beyond",
    ),
    _budget(
        "budget-before", "        self._refuse_beyond(kind, amount)\n        self._add(kind, amount)",
        "        self._add(kind, amount)", "an amount over the limit is charged and goes on",
        STEPS + "test_a_budget_refuses_before_it_charges",
    ),
    _budget(
        "budget-parent", "            self._parent._refuse_beyond(kind, amount)", "            pass",
        "a part of a run may spend more than the run", STEPS + "test_a_part_spends_of_the_whole",
    ),
    _budget(
        "budget-parent-charged", "            self._parent._add(kind, amount)", "            pass",
        "what a part spends is not the run's", STEPS + "test_a_part_spends_of_the_whole",
    ),
    _budget(
        "budget-nan", "not self._used[kind] + amount <= limit:",
        "self._used[kind] + amount > limit:",
        "a limit that is no number bounds nothing", STEPS + "test_EN_06_a_limit_of_nan_allows_nothing",
    ),
    _budget(
        "budget-amount", 'if not 0 <= amount < float("inf"):', "if False:",
        "a negative amount gives budget back", STEPS + "test_amounts_that_are_none",
    ),
    _budget(
        "budget-kind", "    if kind not in known:", "    if False:",
        "an unknown kind is another error", STEPS + "test_amounts_that_are_none",
    ),
    _budget(
        "budget-narrows", "self._limits[kind] = stricter(limit, getattr(limits, kind))",
        "self._limits[kind] = getattr(limits, kind)", "narrowing may loosen",
        STEPS + "test_narrowing_never_loosens",
    ),
    # -- masking -------------------------------------------------------------------------------
    _masking(
        "mask-keys", "self._walk(key, depth + 1, patterns): self._walk(item, depth + 1, patterns)",
        "key: self._walk(item, depth + 1, patterns)", "names in an object are not masked",
        MASK + "test_every_place_in_a_value_is_masked",
    ),
    _masking(
        "mask-lists", "return [self._walk(item, depth + 1, patterns) for item in value]",
        "return list(value)", "lists are not masked", MASK + "test_every_place_in_a_value_is_masked",
    ),
    _masking(
        "mask-bytes", "return self._binary.sub(MASK.encode(), bytes(value))", "return bytes(value)",
        "bytes are not masked", MASK + "test_every_place_in_a_value_is_masked",
    ),
    _masking(
        "mask-deep", "        if depth > DEPTH_MAX:\n            return MASK\n", "",
        "deep values end in an error of Python's own", MASK + "test_deep_values_end_closed",
    ),
    _masking(
        "mask-base64", "        for shift in range(3):", "        for shift in range(1):",
        "base64 is known at one of its alignments only",
        MASK + "test_NW_34_base64_at_any_place",
    ),
    _masking(
        "mask-base64-url", 'forms |= {core, core.replace("+", "-").replace("/", "_")}',
        "forms |= {core}", "base64 for URLs is not known",
        STEPS + "test_NW_34_base64_for_urls",
    ),
    _masking(
        "mask-hex", "forms |= {hexed, hexed.upper(), ", "forms |= {",
        "hex is not known", MASK + "test_NW_34_spellings",
    ),
    _masking(
        "mask-json", r'forms |= {escaped, escaped.replace("/", "\\/"), escaped.replace("\x7f", "\\u007f")}', "pass",
        "JSON's escapes are not known", MASK + "test_NW_34_spellings",
    ),
    _masking(
        "mask-url", '_url_encoded(data, "%%%02X"), _url_encoded(data, "%%%02x")', "",
        "URL encoding is not known", MASK + "test_NW_34_spellings",
    ),
    _masking(
        "mask-patterns", "            text = self._keys.sub(MASK, text)", "            pass",
        "keys of known forms that nobody registered are shown",
        MASK + "test_patterns_in_what_people_read",
    ),
    # -- the gate ------------------------------------------------------------------------------
    _admission(
        "gate-in-flight", "        if self._total >= self._in_flight:\n            return None\n", "",
        "any number of runs at once",
        ADMISSION + "test_the_places_are_those_of_all_tenants_together",
    ),
    _admission(
        "gate-waiting", "if self._total + len(self._arrivals) >= self._in_flight + self._waiting:",
        "if False:", "any number of runs may wait",
        ADMISSION + "test_over_the_bound_is_refused_with_code_and_hint_and_goes_later",
    ),
    _admission(
        "gate-tenant", "if self._running.get(tenant, 0) >= self._per_tenant:", "if False:",
        "one tenant may have every place",
        ADMISSION + "test_a_tenants_share_in_flight_is_bounded",
    ),
    _admission(
        "gate-closed", "        if self._closed:\n            raise draining()\n", "",
        "a closed gate takes runs", ADMISSION + "test_closed_nobody_enters",
    ),
    _admission(
        "gate-overtaken", "            if ticket.overtaken >= OVERTAKEN_MAX:\n"
        "                return None\n", "", "a large run is overtaken for ever",
        ADMISSION + "test_what_does_not_fit_lets_others_pass_but_not_for_ever",
    ),
    _admission(
        "gate-turns", "            self._queues.move_to_end(tenant)", "            pass",
        "the tenant that came first is served first for ever",
        ADMISSION + "test_ASY_013_a_thousand_of_one_tenant_delay_anothers_first_by_one_start",
    ),
)  # fmt: skip

MUTANTS: Final = tuple(change.mutant() for change in CHANGES)

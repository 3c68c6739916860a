"""Valid arguments for every function and method of the script API, in an order that works."""

from __future__ import annotations

from typing import Any, Final

from tests.parity.literals import Source
from tests.parity.walk import Step
from tests.parity.walk_values import (
    ANSWERED,
    ASIS,
    BALLOT,
    CALCULATE,
    FAKE,
    FIRST,
    HEARS,
    MIGRATE,
    NAP,
    NUMBERS,
    RAISES,
    SAME,
    SEVEN,
    TWICE,
    YES,
)


def kept(name: str) -> Source:
    """A variable of the walk."""
    return Source(f"it.{name}", f"it.{name}", f"it.{name}")


def param(name: str, more: str = "") -> Source:
    """A value of --param, as text with more behind it."""
    return Source(f"params.{name} .. '{more}'", f"params.{name} + '{more}'",
                  f"params['{name}'] + '{more}'")  # fmt: skip


def step(what: str, *given: Any, named: dict[str, Any] | None = None, **more: Any) -> Step:
    """`step("agent.create", …)` calls a module's function, `step("it:agent.chat", …)` a method."""
    of, _, function = what.rpartition(".")
    return Step(of, function, given, named or {}, **more)


def written(what: str, lua: str, javascript: str, python: str, **more: Any) -> Step:
    """A call in the words of each language."""
    of, _, function = what.rpartition(".")
    return Step(of, function, code=Source(lua, javascript, python), **more)


FILES: Final = (
    step("fs.mkdir", "made/deep", named={"parents": True}),
    step("fs.write", "made/a.txt", "grüße"),
    step("fs.append", "made/a.txt", "!"),
    step("fs.read", "made/a.txt"),
    step("fs.list", "made", named={"recursive": True}),
    step("fs.stat", "made/a.txt"),
    step("fs.exists", "made/a.txt"),
    step("fs.move", "made/a.txt", "made/b.txt"),
    step("fs.remove", "made/b.txt"),
    step("fs.read", "made/b.txt", fails=2003),
    step("stdin.read", 6),
    written(
        "stdin.lines",
        "(function() return stdin.lines()() end)()",
        "(async () => { for await (const line of stdin.lines()) return line; })()",
        "first_line()",
    ),
    step("stdin.read_all"),
)  # fmt: skip

WEB: Final = (
    step("http.request", named={"url": param("url"), "headers": {"x-a": "1"}}),
    step("http.get", param("url"), named={"query": {"q": "ü"}}),
    step("http.post", param("url"), named={"json": {"n": 1}}),
    step("http.put", param("url"), named={"body": "text"}),
    step("http.patch", param("url"), named={"body": "text"}),
    step("http.delete", param("url")),
    step("http.head", param("url")),
    step("http.get_json", param("url", "?json")),
)

LANGUAGE: Final = (
    step("json.encode", {"a": [1, "ü"]}),
    step("json.stringify", [1, {"b": True}]),
    step("json.decode", '{"a": [1, 2.5]}'),
    step("json.parse", "[true]"),
    *(step(f"log.{level}", "words", {"n": 1}) for level in ("trace", "debug", "info", "warn")),
    step("log.error", "words", {"n": 1}),
    step("log.set_level", "warn"),
    step("log.level"),
    *(
        step(f"console.{name}", "words")
        for name in ("log", "info", "debug", "warn", "error")
    ),
    step("util.sleep", 1, languages=("lua", "javascript")),
    step("async.sleep", 1),
    step("async.all", [SEVEN, SEVEN]),
    step("async.all_settled", [SEVEN]),
    step("async.race", [SEVEN, NAP]),
    step("async.timeout", SEVEN, 1000),
    step("async.timeout", NAP, 1, fails=4004),
    step("async.retry", SEVEN, {"attempts": 2}),
    step("async.with_retry", SEVEN, 1),
    step("async.with_resource", {"v": 3}, FIRST),
    step("async.run", SEVEN),
    written("async.schedule", "(function() it.task = Async.schedule(1, hears) end)()",
            "void (it.task = Async.schedule(1, hears))",
            'setattr(it, "task", Async.schedule(1, hears))'),
    written("async.spawn", "(function() it.task_2 = Async.spawn(function() return 7 end) end)()",
            "void (it.task_2 = Async.spawn(() => 7))",
            'setattr(it, "task_2", Async.spawn(lambda: 7))'),
    step("async.yield_now"),
    step("async.yield_for", 1),
    step("async.yield_until", YES, 1000),
    *(
        written(f"it:task.{method}", f"it.{name}:{method}({given})", "null", "None",
                languages=("lua",), opaque=True)
        for name, method, given in (
            ("task", "await", ""), ("task_2", "catch", "never"), ("task_2", "finally", "never"),
        )
    ),
    written("it:task.and_then", "it.task_2:and_then(function(n) return n + 1 end):await()", "", "",
            languages=("lua",)),
    written("it:task.done", "it.task:done()", "", "it.task.done()", languages=("lua", "python"),
            opaque=True),
    written("it:task.cancel", "it.task_2:cancel()", "", "it.task_2.cancel()",
            languages=("lua", "python"), opaque=True),
    *(
        written(f"promise.{name}", f"Promise.{name}({given}):await()", "", "",
                languages=("lua",), fails=fails)
        for name, given, fails in (
            ("new", ANSWERED.sources["lua"], 0), ("resolve", "7", 0),
            ("reject", "{code = 2003, message = 'x'}", 2003),
            ("all", "{function() return 7 end, Promise.resolve(8)}", 0),
            ("all_settled", "{Promise.resolve(8)}", 0),
            ("race", "{Promise.resolve(8)}", 0),
        )
    ),
    *(
        written(f"os.{name}", f"type(os.{name}({given}))", "", "", languages=("lua",))
        for name, given in (
            ("time", ""), ("date", '"%Y", 0'), ("clock", ""), ("difftime", "3, 1"),
            ("getenv", '"NONE"'),
        )
    ),
)  # fmt: skip

TESTS: Final = (
    step("testing.suite", "S", keep="suite", opaque=True),
    written(
        "it:test_suite.test",
        'it.suite:test("asserts", function(t) it.t = t end)',
        'it.suite.test("asserts", (t) => { it.t = t; })',
        'it.suite.test("asserts", keep_t)',
        opaque=True,
    ),
    step("testing.run_all"),
    *(
        written(
            f"it:test_asserts.{name}",
            f"it.t:{name}({', '.join(one.sources['lua'] for one in given)})",
            f"it.t.{name}({', '.join(one.sources['javascript'] for one in given)})",
            f"it.t.{name}({', '.join(one.sources['python'] for one in given)})",
            opaque=name == "assert_error",
        )
        for name, given in (
            ("assert_not_nil", [Source("1", "1", "1")]),
            ("assert_nil", [Source("nil", "null", "None")]),
            ("assert_true", [Source("true", "true", "True")]),
            ("assert_false", [Source("false", "false", "False")]),
            ("assert_equals", [Source("{1}", "[1]", "[1]"), Source("{1}", "[1]", "[1]")]),
            ("assert_type", [Source("'a'", "'a'", "'a'"),
                             Source("'string'", "'string'", "'string'")]),
            ("assert_greater_than", [Source("2", "2", "2"), Source("1", "1", "1")]),
            ("assert_contains", [Source("'ab'", "'ab'", "'ab'"), Source("'b'", "'b'", "'b'")]),
            ("assert_error", [RAISES, Source("'boom'", "'boom'", "'boom'")]),
        )
    ),
)  # fmt: skip

TOOLS: Final = (
    step("tools.list", "mine"),
    step("tools.create", "doubler", {"description": "doubles", "category": "mine",
                                     "capabilities": ["twice"], "input_schema": NUMBERS,
                                     "execute": TWICE}, keep="tool"),
    step("tool.create", "other", {"description": "same", "category": "mine", "execute": SAME},
         keep="tool_2"),
    step("tools.register", {"name": "third", "description": "d", "execute": ASIS}, keep="tool_3"),
    step("tools.get", "doubler"),
    step("tools.search", "doubles"),
    step("tools.by_category", "mine"),
    step("tools.get_by_category", "mine"),
    step("tools.discover", ["twice"]),
    step("tools.execute", "doubler", {"n": 4}),
    step("tools.execute", "doubler", {"n": "four"}, fails=2002),
    step("tools.execute", "calculator", CALCULATE),
    step("tools.configure", "doubler", {"rate_limit": 50}),
    step("it:tool.execute", {"n": 5}),
    *(step(f"it:tool.get_{name}") for name in ("name", "description", "category", "input_schema",
                                               "output_schema", "examples", "metadata")),
    step("it:tool.can_chain_with", "other"),
    step("it:tool_3.chain_with", kept("tool"), {"n": 6}),
    step("it:tool.to_function_definition"),
    step("it:tool.parse_call", {"name": "doubler", "arguments": '{"n": 3}'}),
    step("tools.create_pipeline", {"name": "pipe", "steps": [
        {"tool": "doubler", "input": {"n": "{{input.n}}"}, "output": "two"},
        {"tool": "doubler", "input": {"n": "{{two}}"}, "output": "four"}]}, keep="pipeline"),
    step("it:pipeline.execute", {"n": 3}),
    step("it:pipeline.get_steps"),
    step("tools.get_stats"),
    step("tools.unregister", "third"),
)  # fmt: skip

HOOKS: Final = (
    step("hooks.points"),
    step("hooks.register", "mine", {"name": "h", "priority": 70, "handler": HEARS}, keep="hook"),
    step("hooks.execute", "mine", {"n": 1}),
    step("hooks.list", "mine"),
    step("hooks.disable", "h"),
    step("hooks.enable", "h"),
    step("it:hook.disable"),
    step("it:hook.enable"),
    step("it:hook.get_metrics"),
    *(step(f"hooks.create_{name}", {}) for name in ("logger", "metrics_collector", "rate_limiter",
                                                    "cache", "debugger", "tracer")),
    step("hooks.create_validator", NUMBERS),
    step("hooks.create_transformer", SAME, {}),
    step("hooks.unregister", "mine", kept("hook")),
    step("hook_manager.get_instance", keep="hook_manager"),
    step("it:hook_manager.register_hook", "mine", {"name": "m", "handler": HEARS}),
    step("it:hook_manager.execute_hooks", "mine", {"n": 2}),
    step("it:hook_manager.unregister_hook", "mine", "m"),
    step("hooks.get_stats"),
)  # fmt: skip

EVENTS: Final = (
    step("events.subscribe", "walk.*", HEARS, keep="subscription", opaque=True),
    step("events.once", "walk.*", HEARS, opaque=True),
    step("events.aggregate", "walk.*", {"count": 2}, HEARS, opaque=True),
    written("events.filter", 'Events.filter(function() return true end).subscribe("walk.*", hears)',
            'Events.filter(() => true).subscribe("walk.*", hears)',
            'Events.filter(lambda event: True).subscribe("walk.*", hears)', opaque=True),
    step("events.list"),
    step("events.persist", named={"enabled": True, "ttl": "1h", "pattern": "walk.*"}),
    step("events.emit", "walk.a", {"n": 1}),
    step("events.emit_sync", {"type": "walk.b", "data": {"n": 2}}),
    step("events.flush"),
    written("events.wait_for",
            '(function() Async.schedule(20, function() Events.emit("walk.c", {n = 3}) end)'
            ' return Events.wait_for("walk.c", "5s") end)()',
            '(async () => { Async.schedule(20, () => Events.emit("walk.c", {n: 3}));'
            ' return await Events.waitFor("walk.c", "5s"); })()',
            "wait_for_c()"),
    step("events.replay", None, None, {"pattern": "walk.a"}),
    step("events.sleep", 0.001),
    step("events.unsubscribe", "walk.*"),
    step("events.get_stats"),
)  # fmt: skip

STORAGE: Final = (
    step("storage.set", "k", {"a": [1, "ü"]}, named={"ttl": 60}),
    step("storage.get", "k"),
    step("storage.exists", "k"),
    step("storage.set_batch", {"x1": 1, "x2": "two"}),
    step("storage.get_batch", ["x1", "x2", "none"]),
    step("storage.list", "x"),
    step("storage.query", YES, named={"prefix": "x"}),
    step("storage.scan", "x", named={"limit": 1}),
    step("storage.transaction", [{"op": "get", "key": "x1"},
                                 {"op": "set", "key": "x3", "value": 3}]),
    step("storage.transaction", [{"op": "check", "key": "x1", "value": 9}], fails=6002),
    step("storage.version"),
    step("storage.migrate", 2, MIGRATE),
    step("storage.migrate", 2, MIGRATE),
    step("storage.get", "moved"),
    step("storage.delete", "k"),
    step("storage.delete_batch", ["x1", "none"]),
    step("storage.stats"),
    step("storage.compact"),
    step("storage.set", "kept", 1, named={"scope": "spell"}),
    step("storage.backup", named={"scope": "spell"}, keep="backup"),
    step("storage.backups", named={"scope": "spell"}),
    step("storage.set", "kept", 2, named={"scope": "spell"}),
    written("storage.restore", 'Storage.restore(it.backup.name, {scope = "spell"})',
            'Storage.restore(it.backup.name, {scope: "spell"})',
            'Storage.restore(it.backup["name"], scope="spell")'),
    written("storage.scope", 'Storage.scope("spell").get("kept")',
            'Storage.scope("spell").get("kept")', 'Storage.scope("spell").get("kept")'),
    step("storage.clear"),
    step("storage.list"),
)  # fmt: skip

MODELS: Final = (
    step("llm.complete", "hello", named=FAKE),
    step("llm.stream", {"prompt": "a b", **FAKE}, HEARS),
    step("llm.embed", ["a", "b"], named={"provider": "fake"}),
    step("llm.count_tokens", "some words", named={"provider": "fake"}),
    step("llm.providers"),
    step("llm.models", "fake"),
    step("llm.info", named=FAKE),
    step("llm.agent", {"name": "from llm", **FAKE}),
)

AGENTS: Final = (
    step("agent.templates"),
    step("agent.create", {"name": "ann", "description": "adds", "system_prompt": "Be brief.",
                          "capabilities": ["sums"], "tools": ["calculator", "doubler"], **FAKE},
         keep="agent"),
    step("agent.create", {"name": "bob", **FAKE}, keep="agent_2"),
    step("agent.get", "ann"),
    step("agent.get", "nobody", fails=1001),
    step("agent.list"),
    step("agent.find", "adds", ["sums"]),
    step("agent.execute", "ann", "run", {}),
    step("agent.template", "mine", {"system_prompt": "Count.", **FAKE}, keep="template"),
    step("agent.get_template", "mine"),
    step("agent.extend", "mine", {"name": "more", "capabilities": ["sums"]}),
    step("agent.create_from_config", {"base_template": "mine", "customizations": {"name": "cy"}}),
    step("template.list"),
    step("template.get", "mine"),
    step("template.create", "mine", {"name": "dee"}),
    step("template.extend", "mine", "most", {"capabilities": ["all"]}),
    step("it:template.create", {"name": "eve"}),
    step("it:template.extend", "least", {}),
    *(step(f"{name}_agent.create", {"name": name, **FAKE})
      for name in ("chat", "research", "analysis", "code", "writer")),
    step("agent_finder.create", keep="agent_finder"),
    step("it:agent_finder.execute", {"query": "adds"}),
    step("it:agent.initialize"),
    step("it:agent.chat", "hello", {}),
    step("it:agent.chat", Source("nil", "null", "None"), fails=2002),
    step("it:agent.chat_with_context", "hello", {"where": "here"}),
    step("it:agent.execute", {"input": "hello"}, {}),
    step("it:agent.stream", "a b", HEARS, {}),
    step("it:agent.structured_output", "n?", NUMBERS),
    step("it:agent.plan", "a goal"),
    step("it:agent.reason", "why?", ["fact"]),
    step("it:agent.generate_with_tools", "hello", ["calculator"]),
    step("it:agent.remember", "k", {"v": 1}),
    step("it:agent.recall", "k"),
    step("it:agent.forget", "k"),
    step("it:agent.history"),
    step("it:agent.add_to_history", "said", "user"),
    step("it:agent.clear_history"),
    step("it:agent.set_state", {"ticket": 7}),
    step("it:agent.get_state"),
    step("it:agent.save_state", keep="snapshot"),
    step("it:agent.clear_state"),
    step("it:agent.restore_state", kept("snapshot")),
    step("it:agent.get_state"),
    step("it:agent.add_tool", "other"),
    step("it:agent.list_tools"),
    step("it:agent.execute_tool", "doubler", {"n": 8}),
    step("it:agent.remove_tool", "other"),
    step("it:agent.set_system_prompt", "Be long."),
    step("it:agent.system_prompt"),
    step("it:agent.update_config", {"max_iterations": 3}),
    step("it:agent.get_config"),
    step("it:agent.register_hook", "before_execution", HEARS),
    step("it:agent.unregister_hook", "before_execution"),
    step("it:agent.health"),
    step("it:agent.token_usage"),
    step("it:agent.estimated_cost"),
    step("it:agent.as_tool", {"name": "ask ann"}, keep="agent_tool"),
    step("it:agent_tool.execute", {"message": "hello"}),
    step("it:agent.delegate_to", kept("agent_2"), "a task", {}),
    step("it:agent.function_calling", ["calculator"], "call"),
    step("it:agent.solve_problem", "a problem"),
    step("it:agent.learn_from_feedback", "be brief"),
    step("it:agent.learning_config"),
    step("it:agent.clear_lessons"),
    *(step(f"it:agent.get_{name}") for name in ("id", "name", "description")),
    step("it:agent.handoff", "bob", "take over", {"reason": "knows"}),
    step("it:agent_2.shutdown"),
    step("it:agent_2.chat", "hello", fails=1003),
)  # fmt: skip

STEPS: Final = [{"name": "one", "run": SEVEN, "output": "seven"},
                {"name": "two", "tool": "doubler", "input": {"n": "{{seven}}"}}]  # fmt: skip

WORKFLOWS: Final = (
    step("workflow.sequential", {"name": "seq", "steps": STEPS}, keep="workflow"),
    step("workflow.parallel", {"name": "par", "steps": [
        {"name": "l", "run": SEVEN}, {"name": "r", "tool": "doubler", "input": {"n": 1}}]},
         keep="workflow_par"),
    step("workflow.conditional", {"name": "con", "condition": YES,
                                  "true_branch": {"run": SEVEN}}, keep="workflow_con"),
    step("workflow.loop", {"name": "loo", "times": 2, "body": {"run": SEVEN}},
         keep="workflow_loo"),
    step("workflow.fan_out", {"name": "fan", "items": [1, 2], "step": SAME}, keep="workflow_fan"),
    step("workflow.map_reduce", {"name": "map", "items": [1, 2], "map": SAME, "reduce": SAME},
         keep="workflow_map"),
    step("workflow.pipeline", {"name": "pip", "steps": [SEVEN, SAME]}, keep="workflow_pip"),
    step("workflow.custom", {"name": "cus", "execute": SEVEN}, keep="workflow_cus"),
    step("workflow.create", {"name": "mad", "type": "sequential", "steps": STEPS}),
    *(step(f"it:workflow_{name}.execute", {"n": 1})
      for name in ("par", "con", "loo", "fan", "map", "pip", "cus")),
    step("workflow.get", "seq"),
    step("workflow.list"),
    step("it:workflow.validate"),
    *(step(f"it:workflow.on_{name}", HEARS)
      for name in ("step_complete", "error", "complete", "progress")),
    step("it:workflow.add_step", {"name": "three", "run": SEVEN}),
    step("it:workflow.get_steps"),
    step("it:workflow.execute", {"n": 1}, {}),
    step("it:workflow.get_result"),
    step("it:workflow.save_checkpoint", "label"),
    step("it:workflow.restore_from_checkpoint", "label"),
    step("it:workflow.execute", {"n": 1}),
    step("it:workflow.run_with_progress", HEARS, {"n": 1}),
    step("it:workflow.execute_step", "one", {"n": 1}),
    step("it:workflow.remove_step", "three"),
    step("it:workflow.get_status"),
    step("it:workflow.pause", fails=3008),
    step("it:workflow.resume", fails=3008),
    step("it:workflow.cancel", "enough", fails=3008),
    step("it:workflow.get_config"),
    *(step(f"it:workflow.get_{name}") for name in ("id", "name", "type", "description")),
)  # fmt: skip

SPELLS: Final = (
    step("error_strategy.retry", {"max_retries": 2}),
    step("error_strategy.fallback", {"tool": "doubler"}),
    step("error_strategy.cascade", {"retry_count": 1}),
    step("spell.create", {"name": "sp", "description": "d", "workflow": kept("workflow"),
                          "error_strategy": "stop"}, keep="spell"),
    step("it:spell.cast", {"n": 1}),
    step("it:spell.get_config"),
    step("spell.run_file", "inner.lua", {"n": 20}),
    step("scheduler.register", named={"name": "job", "trigger": {"type": "cron",
                                                                 "schedule": "0 8 * * *"},
                                      "action": {"type": "tool", "tool": "doubler"}},
         keep="scheduled_job"),
    step("scheduler.list"),
    step("it:scheduled_job.get_status"),
    step("it:scheduled_job.cancel"),
)  # fmt: skip

TOGETHER: Final = (
    step("agent.create", {"name": "fay", **FAKE}, keep="agent_fay"),
    step("orchestrator.register_agent", "expert", kept("agent")),
    step("orchestrator.generate_workflow", {"task": "count", "steps": ["look", "write"]},
         ["ann", "fay"]),
    step("orchestrator.run", ["ann", "fay"], "count", "sequential"),
    step("orchestrator.start_collaboration", ["ann", "fay"], "sequential", {"topic": "moons"}, {},
         keep="collaboration"),
    written("orchestrator.get_collaboration",
            "Orchestrator.get_collaboration(it.collaboration.session_id)",
            "Orchestrator.getCollaboration(it.collaboration.session_id)",
            "Orchestrator.get_collaboration(it.collaboration.session_id)"),
    step("it:collaboration.share", {"place": "here"}),
    step("it:collaboration.adapt", {"task": "count", "steps": [
        {"step_id": "a", "agent_id": "ann", "action": "look"}]}, {"severity": "minor"}),
    step("it:collaboration.delegate", "fay", "a task", "ann"),
    step("hooks.register", "before_llm_call", {"name": "ballot", "handler": BALLOT}),
    step("it:collaboration.negotiate", "a task", {"rounds": 1}),
    step("it:collaboration.vote", "which?", ["red", "blue"], {}),
    step("hooks.unregister", "before_llm_call", "ballot"),
    step("it:collaboration.handle_agent_failure", "fay", "it broke"),
    step("it:collaboration.execute", "count"),
    step("orchestrator.execute_collaborative_workflow", kept("collaboration"), "count"),
    step("it:collaboration.get_messages", 2),
    step("it:collaboration.get_status"),
)  # fmt: skip

SETTINGS: Final = (
    step("errors.parse_error", {"code": 4008, "kind": "denied", "message": "no"}),
    step("errors.enrich_error", "it broke", {"operation": "walk"}),
    step("errors.create_recovery_strategy", {"type": "retry", "max_retries": 2}),
    step("errors.attempt_recovery", "it broke", {"type": "retry", "delay": 0}, SEVEN),
    step("errors.report_error", "it broke", {"component_id": "walk"}),
    step("errors.get_error_stats"),
    step("config.get", "limits.events"),
    step("config.get", "none.such", "otherwise"),
    step("config.set", "mine.key", {"v": 1}),
    step("config.configure_provider", "fake", {"max_tokens": 50}),
    step("config.get_provider_config", "fake"),
    step("config.configure_resources", {"max_calls": 900}),
    step("config.configure_resources", {"max_calls": 1000}, fails=4008),
    step("config.get_resource_config"),
    step("config.configure_observability", {"log_level": "warn"}),
    step("config.get_observability_config"),
    step("config.configure_security", {"denied_tools": ["base64"]}),
    step("config.get_security_config"),
)

WALK: Final = (*FILES, *WEB, *LANGUAGE, *TESTS, *TOOLS, *HOOKS, *EVENTS, *STORAGE, *MODELS,
               *AGENTS, *WORKFLOWS, *SPELLS, *TOGETHER, *SETTINGS)  # fmt: skip

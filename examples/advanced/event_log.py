# /// spell
# description = "Events with filters and replay, and a hook that counts"
# [requests]
# llm = ["fake/*"]
# ///

heard = []
Events.subscribe(
    "sensor.*",
    lambda event: heard.append((event.type, event.value)),
    filter=lambda event: event.value > 30,
)
sources = []
Events.once("agent_completed", lambda event: sources.append(event.source))

for value in (12, 31, 29, 44):
    Events.emit("sensor.temperature", {"value": value})
Events.emit("sensor.wind", {"value": 70})
await Events.flush()
for kind, value in heard:
    print(f"{kind:<20}{value:>4}")

counter = await Hooks.create_metrics_collector({"name": "calls"})
await Hooks.register("after_agent_execution", counter)
agent = Agent(name="watcher", provider="fake")
for kind, value in heard:
    print(await agent.chat(f"{kind} is at {value}"))
await Events.flush()
print("told by", *sources)

past = await Events.replay(options={"pattern": "sensor.temperature"})
{"past": len(past), "asked": (await counter.get_metrics())["executions"]}

# /// spell
# description = "Tools of a spell's own: checked input, a pipeline, statistics"
# ///

words = await Tools.create(
    {
        "name": "words",
        "description": "The words of a text, in lower case",
        "parameters": {
            "type": "object",
            "properties": {"text": {"type": "string"}},
            "required": ["text"],
        },
        "cache": True,
        "execute": lambda given: {"result": given["text"].lower().split()},
    }
)
await Tools.create(
    {
        "name": "commonest",
        "description": "The word that is there most often",
        "parameters": {"type": "object", "properties": {"words": {"type": "array"}}},
        "execute": lambda given: {"result": max(given["words"], key=given["words"].count)},
    }
)

TEXT = "The desk by the window by the lamp by noon"

print(len((await words.execute({"text": TEXT}))["result"]), "words")
try:
    await words.execute({"text": 7})
except LLMSpellError as problem:
    print("refused:", problem.code, problem.kind)

line = await Tools.create_pipeline(
    {
        "name": "headline",
        "steps": [
            {"name": "all", "tool": "words", "input": {"text": "{{input.text}}"}},
            {"name": "top", "tool": "commonest", "input": {"words": "{{all}}"}},
            {
                "tool": "text_manipulator",
                "input": {"text": "{{top}}", "operations": ["to_upper_case"]},
            },
        ],
    }
)
print((await line.execute({"text": TEXT}))["result"])

calls = await Tools.get_stats()
{name: calls[name]["calls"] for name in ("words", "commonest")}

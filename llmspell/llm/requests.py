"""Requests as spells write them, checked and brought into one form (TRT-034, TRT-035).

Accepted besides our own form: the shapes that OpenAI's interface made common (`image_url` parts,
`function` around tools and calls, arguments as JSON text).
"""

from __future__ import annotations

from llmspell.errors import InvalidInput
from llmspell.llm.counting import compact
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

MESSAGES_MAX: Final = 1_000
TEXT_MAX: Final = 4_194_304
"""Characters of all messages together."""

PARTS_MAX: Final = 64
IMAGES_BYTES_MAX: Final = 8_388_608
TOOLS_MAX: Final = 128
CALLS_MAX: Final = 64
SCHEMA_MAX: Final = 65_536
"""Bytes of a JSON Schema."""

SCHEMA_DEPTH: Final = 24
ARGUMENTS_MAX: Final = 1_048_576
STOP_MAX: Final = 16
NAME_MAX: Final = 256
OUTPUT_TOKENS_MAX: Final = 1_000_000

ROLES: Final = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
}


def check_request(given: Mapping[str, Any]) -> dict[str, Any]:
    """A completion's request in its one form. `given` has snake_case keys already.

    The result holds `messages` and, where given, `provider`, `model`, `tools`, `tool_choice`,
    `schema`, `temperature`, `max_tokens`, `stop`. Raises `InvalidInput` naming what is wrong.
    """
    request: dict[str, Any] = {"messages": _messages(given)}
    for key in ("provider", "model"):
        if given.get(key) is not None:
            request[key] = _name(given[key], key)
    if given.get("tools"):
        request["tools"] = _tools(given["tools"])
    if given.get("tool_choice") is not None:
        request["tool_choice"] = _tool_choice(given["tool_choice"], request.get("tools", []))
    if given.get("schema") is not None:
        request["schema"] = check_schema(given["schema"], "schema")
    if given.get("temperature") is not None:
        request["temperature"] = _number(given["temperature"], "temperature", 0, 2)
    if given.get("max_tokens") is not None:
        value = _number(given["max_tokens"], "max_tokens", 1, OUTPUT_TOKENS_MAX)
        request["max_tokens"] = int(value)
    stop = given.get("stop")
    if stop:
        stop = [stop] if isinstance(stop, str) else stop
        if not isinstance(stop, list) or len(stop) > STOP_MAX:
            raise _wrong("stop", f"is a text, or a list of at most {STOP_MAX}")
        request["stop"] = [_text(item, "stop", NAME_MAX) for item in stop]
    return request


def check_schema(given: Any, what: str) -> dict[str, Any]:
    """A JSON Schema within bounds of size and depth. Raises `InvalidInput`."""
    if not isinstance(given, dict):
        raise _wrong(what, "is a JSON Schema, an object")
    if _depth(given, SCHEMA_DEPTH) < 0:
        raise _wrong(what, f"is nested deeper than {SCHEMA_DEPTH} levels")
    if len(_json(given, what).encode("utf-8", "replace")) > SCHEMA_MAX:
        raise _wrong(what, f"has over {SCHEMA_MAX} bytes")
    return given


def last_user_text(request: Mapping[str, Any]) -> str:
    """The words of the last message of the user's; "" without one."""
    for message in reversed(request["messages"]):
        if message["role"] == "user":
            content = message["content"]
            if isinstance(content, str):
                return content
            return "\n".join(part["text"] for part in content if part["type"] == "text")
    return ""


def _messages(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    messages = given.get("messages")
    prompt = given.get("prompt")
    if messages is None and prompt is None:
        raise _wrong("messages", "or prompt is missing")
    found: list[dict[str, Any]] = []
    system = given.get("system") or given.get("system_prompt")
    if system is not None:
        found.append({"role": "system", "content": _text(system, "system", TEXT_MAX)})
    if messages is not None:
        if isinstance(messages, str):
            messages = [messages]
        if not isinstance(messages, list) or not messages:
            raise _wrong("messages", "is a list of messages with role and content")
        if len(messages) > MESSAGES_MAX:
            raise _wrong("messages", f"has over {MESSAGES_MAX} messages")
        found += [_message(item, index) for index, item in enumerate(messages, start=1)]
    if prompt is not None:
        found.append({"role": "user", "content": _content(prompt, "prompt")})
    if sum(_size(message) for message in found) > TEXT_MAX:
        raise _wrong("messages", f"have over {TEXT_MAX} characters")
    return found


def _message(given: Any, index: int) -> dict[str, Any]:
    what = f"messages[{index}]"
    if isinstance(given, str):
        return {"role": "user", "content": given}
    if not isinstance(given, dict):
        raise _wrong(what, "is an object with role and content")
    named = given.get("role", "user")
    role = ROLES.get(named.lower()) if isinstance(named, str) else None
    if role is None:
        raise _wrong(f"{what}.role", "is system, user, assistant or tool")
    message: dict[str, Any] = {"role": role}
    calls = given.get("tool_calls")
    if role == "assistant" and calls:
        message["tool_calls"] = check_calls(calls, f"{what}.tool_calls")
    content = given.get("content")
    if content is None and "tool_calls" in message:
        content = ""
    message["content"] = _content(content, f"{what}.content")
    for key in ("tool_call_id", "name"):
        if given.get(key) is not None:
            message[key] = _name(given[key], f"{what}.{key}")
    if role == "tool" and "tool_call_id" not in message:
        raise _wrong(f"{what}.tool_call_id", "is missing: which call does it answer?")
    return message


def _content(given: Any, what: str) -> str | list[dict[str, Any]]:
    if isinstance(given, str):
        return _text(given, what, TEXT_MAX, empty=True)
    if isinstance(given, dict) and ("type" in given or "text" in given):
        given = [given]
    if not isinstance(given, list):
        raise _wrong(what, "is a text, or a list of parts")
    if len(given) > PARTS_MAX:
        raise _wrong(what, f"has over {PARTS_MAX} parts")
    return [_part(item, f"{what}[{index}]") for index, item in enumerate(given, start=1)]


def _part(given: Any, what: str) -> dict[str, Any]:
    if isinstance(given, str):
        return {"type": "text", "text": given}
    if not isinstance(given, dict):
        raise _wrong(what, "is a text, or {type = text or image, …}")
    kind = given.get("type", "text" if "text" in given else "image")
    if kind == "text":
        return {"type": "text", "text": _text(given.get("text"), f"{what}.text", TEXT_MAX)}
    if kind not in ("image", "image_url"):
        raise _wrong(f"{what}.type", "is text or image")
    url = given.get("url") or given.get("image_url")
    if isinstance(url, dict):
        url = url.get("url")
    data = given.get("data")
    if (url is None) == (data is None):
        raise _wrong(what, "has either url or data")
    if url is not None:
        text = _text(url, f"{what}.url", IMAGES_BYTES_MAX)
        if not text.startswith(("https://", "http://", "data:image/")):
            raise _wrong(f"{what}.url", "is an http, https or data:image URL")
        return {"type": "image", "url": text}
    return {"type": "image", "url": _inline(data, given.get("mime_type"), what)}


def _inline(data: Any, mime: Any, what: str) -> str:
    import binascii

    kind = mime if mime is not None else "image/png"
    if not isinstance(kind, str) or not kind.startswith("image/") or len(kind) > 64:
        raise _wrong(f"{what}.mime_type", "is image/png, image/jpeg, …")
    if isinstance(data, str):
        try:
            data = binascii.a2b_base64(data, strict_mode=True)
        except (binascii.Error, ValueError):
            raise _wrong(f"{what}.data", "is bytes, or base64 text") from None
    if not isinstance(data, (bytes, bytearray)) or len(data) > IMAGES_BYTES_MAX:
        raise _wrong(f"{what}.data", f"is at most {IMAGES_BYTES_MAX} bytes")
    return f"data:{kind};base64,{binascii.b2a_base64(data, newline=False).decode('ascii')}"


def _tools(given: Any) -> list[dict[str, Any]]:
    if not isinstance(given, list) or len(given) > TOOLS_MAX:
        raise _wrong("tools", f"is a list of at most {TOOLS_MAX} definitions")
    tools = []
    for index, item in enumerate(given, start=1):
        what = f"tools[{index}]"
        if isinstance(item, dict) and isinstance(item.get("function"), dict):
            item = item["function"]
        if not isinstance(item, dict):
            raise _wrong(what, "is {name, description, parameters}")
        description = item.get("description")
        parameters = item.get("parameters") or {"type": "object", "properties": {}}
        tools.append(
            {
                "name": _name(item.get("name"), f"{what}.name"),
                "description": ""
                if description is None
                else _text(description, f"{what}.description", SCHEMA_MAX, empty=True),
                "parameters": check_schema(parameters, f"{what}.parameters"),
            }
        )
    if len({tool["name"] for tool in tools}) != len(tools):
        raise _wrong("tools", "has one name twice")
    return tools


def check_calls(given: Any, what: str) -> list[dict[str, Any]]:
    """Calls of tools, a spell's or a model's own, in one form. Raises `InvalidInput`."""
    if not isinstance(given, list) or len(given) > CALLS_MAX:
        raise _wrong(what, f"is a list of at most {CALLS_MAX} calls")
    calls = []
    for index, item in enumerate(given, start=1):
        if not isinstance(item, dict):
            raise _wrong(f"{what}[{index}]", "is {id, name, arguments}")
        inner = item["function"] if isinstance(item.get("function"), dict) else item
        arguments = inner.get("arguments")
        if isinstance(arguments, str):
            arguments = _decoded(arguments, f"{what}[{index}].arguments")
        if arguments is None or arguments == []:
            arguments = {}
        if not isinstance(arguments, dict):
            raise _wrong(f"{what}[{index}].arguments", "is an object")
        identity = item.get("id")
        calls.append(
            {
                "id": f"call_{index}" if identity is None else _name(identity, f"{what}.id"),
                "name": _name(inner.get("name"), f"{what}[{index}].name"),
                "arguments": arguments,
            }
        )
    return calls


def _decoded(text: str, what: str) -> Any:
    from llmspell.channel.jsontext import Malformed
    from llmspell.llm.modeljson import decode

    if len(text) > ARGUMENTS_MAX:
        raise _wrong(what, f"have over {ARGUMENTS_MAX} characters")
    if not text.strip():
        return {}
    try:
        return decode(text)
    except Malformed as error:
        raise _wrong(what, f"are no JSON: {error}") from None


def _tool_choice(given: Any, tools: list[dict[str, Any]]) -> str:
    if given in ("auto", "none", "required"):
        return str(given)
    if any(tool["name"] == given for tool in tools):
        return f"name:{given}"
    raise _wrong("tool_choice", "is auto, none, required, or the name of a given tool")


def _size(message: Mapping[str, Any]) -> int:
    content = message["content"]
    if isinstance(content, str):
        return len(content)
    return sum(len(part["text"]) for part in content if part["type"] == "text")


def _depth(value: Any, left: int) -> int:
    """How much nesting is left below the bound; negative when it is over."""
    if left < 0:
        return -1
    if isinstance(value, dict):
        return min((_depth(item, left - 1) for item in value.values()), default=left)
    if isinstance(value, list):
        return min((_depth(item, left - 1) for item in value), default=left)
    return left


def _json(value: Any, what: str) -> str:
    try:
        return compact(value)
    except (TypeError, ValueError, RecursionError):
        raise _wrong(what, "holds what JSON can't") from None


def _text(value: Any, what: str, longest: int, *, empty: bool = False) -> str:
    if not isinstance(value, str) or (not value and not empty):
        raise _wrong(what, "is a text")
    if len(value) > longest:
        raise _wrong(what, f"has over {longest} characters")
    return value


def _name(value: Any, what: str) -> str:
    text = _text(value, what, NAME_MAX)
    if not text.isprintable():
        raise _wrong(what, "holds what can't be printed")
    return text


def _number(value: Any, what: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise _wrong(what, f"is a number from {low} to {high}")
    return value


def _wrong(what: str, words: str) -> InvalidInput:
    return InvalidInput(f"llm: {what} {words}")

"""What an agent is asked, as spells write it: text, an object, images; and what it answers."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from llmspell.errors import InvalidInput
from llmspell.spells.agents import values

if TYPE_CHECKING:
    from collections.abc import Mapping

MESSAGE_MAX: Final = 1_048_576
"""Characters of one message, with its context."""

IMAGES_MAX: Final = 16
IMAGE_BYTES_MAX: Final = 5 * 1024 * 1024
TEXT_KEYS: Final = ("message", "input", "prompt", "query", "task", "question", "text", "content")
"""Where an object says what is asked, in this order (X15, X16, S20, S57)."""

_BESIDE: Final = frozenset({"context", "metadata", "images"})
_ENVELOPE: Final = _BESIDE | {"input"}

OUTPUT_KEYS: Final = frozenset(
    {"success", "content", "output", "data", "error", "error_info", "metadata", "tool_calls",
     "handoff_request", "state_updates", "structured", "handle", "id"}
)  # fmt: skip
"""Fields of an answer that a model's own fields never replace."""


_ANSWER_KEYS: Final = frozenset({"success", "content", "output", "data", "tool_calls"})
"""What an object has that an agent's `execute` gave."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: `input` as it was given (hooks see that), `message` as the model gets it.

    Of `{input = …, context = …}` the input is what stands under that name (S57, S64).
    """

    input: Any
    message: str
    context: dict[str, Any] = field(default_factory=dict)
    images: tuple[dict[str, Any], ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)

    def user_message(self) -> dict[str, Any]:
        """The message for the model: text, then context, then images."""
        text = self.message
        if self.context:
            text = f"{text}\n\nContext:\n{values.as_json(self.context)}"
        if len(text) > MESSAGE_MAX:
            raise InvalidInput(f"a message has {len(text)} characters; {MESSAGE_MAX} are taken")
        if not self.images:
            return {"role": "user", "content": text}
        return {"role": "user", "content": [{"type": "text", "text": text}, *self.images]}


def asked(given: Any, options: Mapping[str, Any] | None = None) -> Asked:
    """The request in what a spell gave. Raises `InvalidInput` for nothing, or a function.

    Options: `context`, `metadata` (kept for hooks), `images`.
    """
    options = options or {}
    context = dict(values.table(options.get("context"), "context"))
    metadata = dict(values.table(options.get("metadata"), "metadata"))
    images = list(values.items(options.get("images"), "images", IMAGES_MAX))
    if isinstance(given, str):
        message = given
    elif isinstance(given, list) and given:
        message, pictures = _of_parts(given)
        images += pictures
    elif isinstance(given, dict) and given:
        values.plain(_without_bytes(given), "the input", MESSAGE_MAX)
        if _is_answer(given):
            # What another agent answered (S15, S16): its words, without the figures about it.
            message = given["content"]
        else:
            context |= values.table(given.get("context"), "context")
            metadata |= values.table(given.get("metadata"), "metadata")
            images += values.items(given.get("images"), "images", IMAGES_MAX)
            message = _of_object(given)
    else:
        raise InvalidInput("an agent needs a message: text, or an object that holds it")
    if not message.strip() and not images:
        raise InvalidInput("an agent needs a message that is not empty")
    values.plain(context, "context", MESSAGE_MAX)
    values.plain(metadata, "metadata", MESSAGE_MAX)
    if isinstance(given, dict) and "input" in given and given.keys() <= _ENVELOPE:
        given = given["input"]
    return Asked(given, message, context, tuple(image_part(item) for item in images), metadata)


def changed(request: Asked, context: Mapping[str, Any]) -> Asked:
    """The request as hooks left it: a changed `input` counts, then a changed `message`."""
    given, message = context.get("input"), context.get("message")
    extra = context.get("context")
    if given is not None and given != values.without_functions(request.input):
        kept = extra if isinstance(extra, dict) else request.context
        fresh = asked(given, {"context": kept})
        return replace(fresh, images=request.images or fresh.images, metadata=request.metadata)
    if isinstance(message, str) and message != request.message:
        request = replace(request, message=message)
    if isinstance(extra, dict) and extra != request.context:
        request = replace(request, context=values.plain(extra, "context", MESSAGE_MAX))
    return request


def _is_answer(given: dict[str, Any]) -> bool:
    content = given.get("content")
    return given.keys() >= _ANSWER_KEYS and isinstance(content, str) and bool(content.strip())


def _of_object(given: dict[str, Any]) -> str:
    rest = {key: value for key, value in given.items() if key not in _BESIDE}
    for key in TEXT_KEYS:
        if isinstance(rest.get(key), str):
            text: str = rest.pop(key)
            return f"{text}\n\n{values.as_json(rest)}" if rest else text
    inner = rest.get("input")
    if len(rest) == 1 and isinstance(inner, dict):
        if _is_answer(inner):
            return str(inner["content"])
        return _of_object(inner) if "input" not in inner else values.as_json(inner)
    if len(rest) == 1 and isinstance(inner, list):
        return values.as_json(inner)
    return values.as_json(rest) if rest else ""


def _of_parts(given: list[Any]) -> tuple[str, list[Any]]:
    texts, images = [], []
    for part in given[: IMAGES_MAX * 2]:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict) and part.get("type", "text") == "text":
            texts.append(values.text(part.get("text"), "a part's text", MESSAGE_MAX))
        else:
            images.append(part)
    return "\n".join(texts), values.items(images, "images", IMAGES_MAX)


def _without_bytes(given: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key != "images"}


def image_part(given: Any) -> dict[str, Any]:
    """An image as a message part: an address, or its bytes. Raises `InvalidInput`."""
    if isinstance(given, str):
        given = {"url": given}
    if not isinstance(given, dict):
        raise InvalidInput("an image is an address, or {data = bytes, mime_type = 'image/png'}")
    if given.get("type") == "image_url" and isinstance(given.get("image_url"), dict):
        given = given["image_url"]
    url, data = given.get("url"), given.get("data")
    if isinstance(data, str):
        data = _decoded(data)
    if isinstance(data, bytes):
        if len(data) > IMAGE_BYTES_MAX:
            raise InvalidInput(f"an image has {len(data)} bytes; {IMAGE_BYTES_MAX} are taken")
        kind = given.get("mime_type", given.get("media_type", "image/png"))
        kind = values.text(kind, "mime_type", 64)
        url = f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
    if not isinstance(url, str) or len(url) > IMAGE_BYTES_MAX * 2:
        raise InvalidInput("an image needs an address (url) or bytes (data)")
    return {"type": "image_url", "image_url": {"url": url}}


def _decoded(text: str) -> bytes:
    if len(text) > IMAGE_BYTES_MAX * 2:
        raise InvalidInput(f"an image's data has more than {IMAGE_BYTES_MAX} bytes")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise InvalidInput("an image's data is bytes, or base64 text") from None


def answer(content: str, structured: Any = None) -> dict[str, Any]:
    """The part of an agent's output that says what was answered (X16).

    `content` and `output` are the text; `data` is the answer's object where it is one, with its
    fields at the top level as well where they don't collide.
    """
    data = structured if structured is not None else json_or_none(content)
    output: dict[str, Any] = {
        "success": True,
        "content": content,
        "output": content,
        "data": {"content": content} if data is None else data,
    }
    if isinstance(data, dict):
        output["data"] = {"content": content, **data} if structured is None else data
        for key, value in data.items():
            if key not in OUTPUT_KEYS:
                output[key] = value
    if structured is not None:
        output["structured"] = structured
    return output


def json_or_none(content: str) -> dict[str, Any] | None:
    """The object an answer is; see `values.json_answer`."""
    return values.json_answer(content)


def replacement(value: Any) -> dict[str, Any]:
    """The output that a hook put in the place of an agent's own."""
    if isinstance(value, dict) and value.keys() & {"content", "output"}:
        content = value.get("content", value.get("output"))
        output = answer(content if isinstance(content, str) else values.as_json(content))
        rest = {key: item for key, item in value.items() if key in ("data", "metadata")}
        return {**output, **values.plain(rest, "a hook's output", MESSAGE_MAX)}
    values.plain(value, "a hook's output", MESSAGE_MAX)
    output = answer(values.as_json(value))
    if not isinstance(value, str):
        output["data"] = value
    return output

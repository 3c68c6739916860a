"""A server on loopback that speaks the wire formats of OpenAI, Anthropic and Ollama.

What it says is chosen by the model's name in the request: `ok`, `tools`, `limited`, `broken`, …;
each request is kept, with its headers.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TEXT = "It is 42, said the server."


class ModelServer:
    """Serves until closed."""

    def __init__(self) -> None:
        outer = self
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.counts: dict[str, int] = defaultdict(int)
        self.broken_off = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                request = json.loads(body)
                outer.requests.append(request)
                outer.paths.append(self.path)
                outer.headers.append({key.lower(): value for key, value in self.headers.items()})
                outer.counts[request.get("model", "")] += 1
                try:
                    outer.answer(self, request)
                except (BrokenPipeError, ConnectionResetError):
                    outer.broken_off.set()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, visit: BaseHTTPRequestHandler, request: dict[str, Any]) -> None:
        model = request.get("model", "")
        special: dict[str, Callable[[], None]] = {
            "limited": lambda: self._fail(visit, 429, {"retry-after": "1"}, "slow down"),
            "limited-long": lambda: self._fail(visit, 429, {"retry-after": "600"}, "slow down"),
            "broken": lambda: self._fail(visit, 500, {}, "broken inside"),
            "forbidden": lambda: self._fail(visit, 401, {}, "who are you?"),
            "malformed": lambda: _send(visit, 200, b"{this is no JSON", "application/json"),
            "slow": lambda: self._slow(visit),
            "echo-key": lambda: self._echo(visit, request),
            "echo-key-error": lambda: self._fail(visit, 400, {}, self._keys(visit)),
            "redirect": lambda: self._redirect(visit),
        }
        if model == "limited-once" and self.counts[model] == 1:
            self._fail(visit, 429, {"retry-after": "0"}, "slow down")
        elif model in special:
            special[model]()
        else:
            self._say(visit, request, TEXT)

    def _say(self, visit: BaseHTTPRequestHandler, request: dict[str, Any], text: str) -> None:
        if visit.path.endswith("/embeddings"):
            _json(visit, _embeddings(request))
        elif "/messages" in visit.path:
            _anthropic(visit, request, text)
        elif visit.path.endswith("/api/chat"):
            _ollama(visit, request, text)
        else:
            _openai(visit, request, text)

    def _slow(self, visit: BaseHTTPRequestHandler) -> None:
        visit.send_response(200)
        visit.send_header("content-type", "application/json")
        visit.send_header("content-length", "100000")
        visit.end_headers()
        for _ in range(200):
            visit.wfile.write(b" ")
            visit.wfile.flush()
            time.sleep(0.05)

    def _keys(self, visit: BaseHTTPRequestHandler) -> str:
        """All that the client told of itself, plain, in base64, in hex and URL-encoded."""
        import base64
        from urllib.parse import quote

        given = visit.headers.get("authorization") or visit.headers.get("x-api-key") or ""
        key = given.removeprefix("Bearer ")
        encoded = base64.b64encode(f"user:{key}".encode()).decode()
        return f"key={key} basic={encoded} hex={key.encode().hex()} url={quote(key, safe='')}"

    def _echo(self, visit: BaseHTTPRequestHandler, request: dict[str, Any]) -> None:
        self._say(visit, request, self._keys(visit))

    def _fail(
        self, visit: BaseHTTPRequestHandler, status: int, headers: dict[str, str], words: str
    ) -> None:
        body = json.dumps({"type": "error", "error": {"type": "failed", "message": words}})
        _send(visit, status, body.encode(), "application/json", headers)

    def _redirect(self, visit: BaseHTTPRequestHandler) -> None:
        _send(visit, 307, b"", "text/plain", {"location": "http://127.0.0.1:1/v1/other"})


def _send(
    visit: BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    kind: str,
    headers: dict[str, str] | None = None,
) -> None:
    visit.send_response(status)
    visit.send_header("content-type", kind)
    visit.send_header("content-length", str(len(body)))
    for name, value in (headers or {}).items():
        visit.send_header(name, value)
    visit.end_headers()
    visit.wfile.write(body)


def _json(visit: BaseHTTPRequestHandler, value: Any) -> None:
    _send(visit, 200, json.dumps(value).encode(), "application/json")


def _events(visit: BaseHTTPRequestHandler, lines: list[str]) -> None:
    _send(visit, 200, "".join(lines).encode(), "text/event-stream")


def _pieces(text: str) -> list[str]:
    return [text[start : start + 7] for start in range(0, len(text), 7)]


def _openai(visit: BaseHTTPRequestHandler, request: dict[str, Any], text: str) -> None:
    call = {
        "id": "call_a",
        "type": "function",
        "function": {"name": "calculator", "arguments": '{"expression":"15 + 27"}'},
    }
    wants_tool = bool(request.get("tools")) and request["messages"][-1]["role"] != "tool"
    if request.get("response_format"):
        text = '{"answer": 42}'
    usage = {"prompt_tokens": 10, "completion_tokens": 15, "total_tokens": 25}
    head = {"id": "c1", "created": 1, "model": request["model"]}
    if request.get("stream"):
        chunks: list[dict[str, Any]] = []
        if wants_tool:
            first = {"index": 0, **call, "function": {"name": "calculator", "arguments": ""}}
            chunks.append({"tool_calls": [first]})
            for piece in _pieces(call["function"]["arguments"]):  # type: ignore[index]
                chunks.append({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
        else:
            chunks = [{"role": "assistant", "content": piece} for piece in _pieces(text)]
        lines = []
        for delta in chunks:
            choice = {"index": 0, "delta": delta, "finish_reason": None}
            lines.append({**head, "object": "chat.completion.chunk", "choices": [choice]})
        reason = "tool_calls" if wants_tool else "stop"
        last = {"index": 0, "delta": {}, "finish_reason": reason}
        lines.append({**head, "object": "chat.completion.chunk", "choices": [last]})
        lines.append({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage})
        _events(visit, [f"data: {json.dumps(line)}\n\n" for line in lines] + ["data: [DONE]\n\n"])
        return
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if wants_tool:
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    reason = "tool_calls" if wants_tool else "stop"
    choice = {"index": 0, "message": message, "finish_reason": reason}
    _json(visit, {**head, "object": "chat.completion", "choices": [choice], "usage": usage})


def _embeddings(request: dict[str, Any]) -> dict[str, Any]:
    given = request["input"]
    texts = [given] if isinstance(given, str) else given
    data = [
        {"object": "embedding", "index": index, "embedding": [0.5, float(index)]}
        for index, _ in enumerate(texts)
    ]
    usage = {"prompt_tokens": 4, "total_tokens": 4}
    return {"object": "list", "data": data, "model": request["model"], "usage": usage}


def _anthropic(visit: BaseHTTPRequestHandler, request: dict[str, Any], text: str) -> None:
    last = request["messages"][-1]["content"]
    answered = isinstance(last, list) and any(part.get("type") == "tool_result" for part in last)
    wants_tool = bool(request.get("tools")) and not answered
    usage = {"input_tokens": 10, "output_tokens": 15}
    block: dict[str, Any] = {"type": "text", "text": text}
    if wants_tool:
        given = {"expression": "15 + 27"}
        block = {"type": "tool_use", "id": "toolu_a", "name": "calculator", "input": given}
    reason = "tool_use" if wants_tool else "end_turn"
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": [block],
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": usage,
    }
    if not request.get("stream"):
        _json(visit, message)
        return
    started = {**block, "text": ""} if block["type"] == "text" else {**block, "input": {}}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": started},
    ]
    if wants_tool:
        for piece in _pieces(json.dumps(block["input"])):
            delta = {"type": "input_json_delta", "partial_json": piece}
            events.append({"type": "content_block_delta", "index": 0, "delta": delta})
    else:
        for piece in _pieces(text):
            delta = {"type": "text_delta", "text": piece}
            events.append({"type": "content_block_delta", "index": 0, "delta": delta})
    events += [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage},
        {"type": "message_stop"},
    ]
    _events(visit, [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in events])


def _ollama(visit: BaseHTTPRequestHandler, request: dict[str, Any], text: str) -> None:
    end = {"done": True, "done_reason": "stop", "prompt_eval_count": 10, "eval_count": 15}
    head = {"model": request["model"], "created_at": "2025-01-01T00:00:00Z"}
    if request.get("tools") and request["messages"][-1]["role"] != "tool":
        function = {"name": "calculator", "arguments": {"expression": "15 + 27"}}
        said = {"role": "assistant", "content": "", "tool_calls": [{"function": function}]}
        answer = json.dumps({**head, "message": said, **end})
        _send(visit, 200, answer.encode() + b"\n", "application/x-ndjson")
        return
    if request.get("stream"):
        lines = [
            {**head, "message": {"role": "assistant", "content": piece}, "done": False}
            for piece in _pieces(text)
        ]
        lines.append({**head, "message": {"role": "assistant", "content": ""}, **end})
        body = "".join(json.dumps(line) + "\n" for line in lines)
        _send(visit, 200, body.encode(), "application/x-ndjson")
        return
    _json(visit, {**head, "message": {"role": "assistant", "content": text}, **end})

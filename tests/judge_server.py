"""An OpenAI-compatible endpoint on this machine that misbehaves on purpose. A stand-in: no commercial one can be reached here."""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from emsteer.recipes import Asking, Service

KEY = "sk-secret-0123456789"
ASKING = Asking(model="judge-2026-01-01", temperature=0, max_tokens=4, top_logprobs=20, repeat=0)
Body = dict[str, Any]
STATUSES = {"429": 429, "429 soon": 429, "429 for good": 429, "500": 500, "503": 503, "409": 409, "408": 408, "400": 400}


def service(url: str, **changes: Any) -> Service:
    values = {
        "base_url": url, "key_from": "JUDGE_KEY", "concurrency": 8, "requests_per_minute": 60_000, "timeout_s": 5, "attempts": 6,
        "budget_tokens": None, "budget_usd": None, "replies": "replies", "max_error_pct": 0,
    }  # fmt: skip
    return Service(**{**values, **changes})


def said(text: str, first: list[tuple[str, float]] | None = None) -> Body:
    """What a completion holds: a text, and the tokens of its first position."""
    return {"text": text, "first": first}


@dataclass
class Server:
    """What it was asked, and what it does.

    Attributes:
        reply: Prompt → what is said.
        fault: (prompt, how often it was asked before) → what goes wrong, or None.
        asked: Prompts, in the order in which they came.
        paid: Prompt → completions that were sent whole.
        at: When requests came. [s]
        most_at_once: Requests under way.
        delay: Of every reply. [s]
    """

    reply: Callable[[str], Body] = lambda prompt: said("80", [("80", -0.1), ("20", -3.0)])
    fault: Callable[[str, int], str | None] = lambda prompt, before: None
    key: str | None = KEY
    asked: list[str] = field(default_factory=list)
    paid: Counter[str] = field(default_factory=Counter)
    at: list[float] = field(default_factory=list)
    most_at_once: int = 0
    delay: float = 0.0
    url: str = ""
    _at_once: int = 0
    _times: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def came(self, prompt: str) -> int:
        """How often it was asked before."""
        with self._lock:
            before = self._times[prompt]
            self._times[prompt] += 1
            self.asked.append(prompt)
            self.at.append(time.monotonic())
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        return before

    def went(self, prompt: str, *, whole: bool) -> None:
        with self._lock:
            self._at_once -= 1
            self.paid[prompt] += whole


def completion(prompt: str, of: Body) -> Body:
    first = of["first"]
    logprobs = None
    if first is not None:
        tops = [{"token": token, "logprob": logprob, "bytes": None} for token, logprob in first]
        logprobs = {"content": [{**tops[0], "top_logprobs": tops}] if tops else [], "refusal": None}
    message = {"role": "assistant", "content": of["text"], "refusal": of.get("refusal")}
    n_read = 10 + len(prompt.encode()) // 4
    return {
        "id": "x", "object": "chat.completion", "created": 0, "model": ASKING.model,
        "choices": [{"index": 0, "finish_reason": "stop", "message": message, "logprobs": logprobs}],
        "usage": {"prompt_tokens": n_read, "completion_tokens": 1, "total_tokens": n_read + 1},
    }  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    """One request; what `Server` says."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body of a reply are two writes: the second would wait 40 ms for the first
    state: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][0]["content"]
        before = self.state.came(prompt)
        whole = False
        try:
            time.sleep(self.state.delay)
            whole = self._answer(prompt, before)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            self.state.went(prompt, whole=whole)

    def _answer(self, prompt: str, before: int) -> bool:
        """Whether a whole completion was sent."""
        given = self.headers["Authorization"]
        if self.state.key is not None and given != f"Bearer {self.state.key}":
            return self._error(401, f"Incorrect API key provided: {given}")
        fault = self.state.fault(prompt, before)
        if fault in STATUSES:
            headers = {"Retry-After": "0.2"} if fault == "429 soon" else {}
            return self._error(STATUSES[fault], fault, "insufficient_quota" if fault == "429 for good" else None, headers)
        of = completion(prompt, self.state.reply(prompt))
        text = json.dumps(of).encode()
        if fault == "reset":
            return self._break_off(text)
        if fault == "time-out":
            time.sleep(1.5)
        broken = {
            "truncated": text[: len(text) // 2],
            "empty": json.dumps({**of, "choices": []}).encode(),
            "no json": b"<html>busy</html>",
        }
        self._send(broken.get(str(fault), text), kind="text/html" if fault == "no json" else "application/json")
        return fault not in broken

    def _break_off(self, text: bytes) -> bool:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text[: len(text) // 2])
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True
        return False

    def _error(self, status: int, said: str, code: str | None = None, headers: dict[str, str] | None = None) -> bool:
        self._send(json.dumps({"error": {"message": said, "type": "x", "code": code}}).encode(), status, headers=headers)
        return False

    def _send(self, body: bytes, status: int = 200, kind: str = "application/json", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """The server, with its `url`."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"state": server}))
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_port}/v1"
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()

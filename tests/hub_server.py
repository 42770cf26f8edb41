"""A stand-in for the Hugging Face hub: serves a folder as a model's repository, and can gate it or break off in mid-file."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TOKEN = "hf_token_of_somebody"


@dataclass
class Hub:
    """One model at one commit.

    Attributes:
        folder: Its files.
        gated: Files are for bearers of `TOKEN`.
        breaks_after: So many bytes of a file, once; None: never. [bytes]
        claims: Size that the hub says each file has; None: the true one. [bytes]
        refuses_with: A status of HTTP that every request is answered with.
        asked: `GET name from-byte`, one line a file that was sent.
    """

    model_id: str
    revision: str
    folder: Path
    gated: bool = False
    breaks_after: int | None = None
    claims: int | None = None
    refuses_with: int | None = None
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.folder.iterdir())}

    def tree(self) -> list[dict[str, object]]:
        return [
            {"type": "file", "path": name, "size": self.claims or len(data), "oid": etag(data)}
            for name, data in self.files().items()
        ]


def etag(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def log_message(self, *_args: object) -> None: ...

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, {"X-Error-Code": code, "X-Error-Message": code}, b"{}")

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub, path = self.server.hub, self.path.partition("?")[0]
        if hub.refuses_with:
            return self._refuse(hub.refuses_with, "Refused")
        if f"/{hub.model_id}/" not in path:
            return self._refuse(404, "RepoNotFound")
        if f"/{hub.revision}" not in path:
            return self._refuse(404, "RevisionNotFound")
        if path.startswith("/api/"):
            return self._answer(200, {"Content-Type": "application/json"}, json.dumps(hub.tree()).encode())
        if hub.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._refuse(401, "GatedRepo")
        return self._send(hub, path.rpartition("/")[2])

    def _send(self, hub: Hub, name: str) -> None:
        data = hub.files()[name]
        asked = self.headers.get("Range")  # bytes=N-
        first = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
        about = {"ETag": f'"{etag(data)}"', "X-Repo-Commit": hub.revision, "Accept-Ranges": "bytes"}
        if first:
            about["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        if self.command == "HEAD":
            return self._answer(200, about | {"Content-Length": str(hub.claims or len(data))}, b"")
        hub.asked.append(f"GET {name} {first}")
        if hub.breaks_after is not None and len(data) > hub.breaks_after:
            part, hub.breaks_after = data[first : hub.breaks_after], None
            self._answer(200, about | {"Content-Length": str(len(data) - first)}, part)
            self.close_connection = True
            return None
        return self._answer(206 if first else 200, about, data[first:])


class _Server(ThreadingHTTPServer):
    hub: Hub


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Fills in `url`."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.hub = hub
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

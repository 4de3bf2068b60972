"""An HTTP server on loopback that takes notifications, as ``json://`` of apprise sends them; or refuses, or hangs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """What was received, and what is answered: a status, or nothing at all while ``hangs``."""

    def __init__(self) -> None:
        self.status = 200
        self.hangs = False
        self.received: list[dict[str, Any]] = []
        self._released = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """As apprise takes it."""
        return f"json://127.0.0.1:{self.port}/"

    def about(self, words: str) -> list[dict[str, Any]]:
        """The notifications whose title or message has these words."""
        return [one for one in self.received if words in one["title"] or words in one["message"]]

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Take one request."""
        document = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        self.received.append(document | {"path": request.path})
        if self.hangs:
            self._released.wait()
            return
        request.send_response(self.status)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def close(self) -> None:
        """End, and let go whoever hangs."""
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver for as long as the block."""
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()

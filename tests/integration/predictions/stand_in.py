"""A gateway as far as a prediction client sees it: an HTTP server on loopback that keeps keys, and breaks when told."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from typing import Any

KEY = "sg_test_key"

NDJSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"

Act = Callable[["Answer"], None]


@dataclass(frozen=True)
class Request:
    """What came: the target, the headers by lower case, and the body."""

    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.body.splitlines()]

    @property
    def keys(self) -> list[str]:
        return [line["idempotency_key"] for line in self.lines]


class CutError(Exception):
    """End the connection here, without a goodbye."""


class StandInGateway:
    """Answers as the gateway does, or as the next of ``script`` does.

    Args:
        tls: makes its connections TLS; None for none.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.stored: dict[str, str] = {}
        self.script: deque[Act] = deque()
        self.released = threading.Event()
        self._tls = tls
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._ended = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}"

    def store(self, key: str) -> dict[str, Any]:
        """Keep a prediction, once by its key; the line that answers it."""
        with self._lock:
            if key in self.stored:
                return {"id": self.stored[key], "status": "duplicate"}
            self.stored[key] = f"id-{len(self.stored)}"
            return {"id": self.stored[key], "status": "accepted"}

    def close(self) -> None:
        """End, with every connection."""
        self._ended = True
        self.released.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.hang_up()

    def hang_up(self) -> None:
        """End every connection, as a proxy does with idle ones."""
        for connection in tuple(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._ended:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError, CutError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self.connections += 1
            self._open.add(connection)
            with connection, connection.makefile("rb") as reader:
                while (request := _read(reader)) is not None:
                    self.requests.append(request)
                    act = self.script.popleft() if self.script else answer
                    act(Answer(self, request, connection.sendall))
        self._open.discard(connection)
        connection.close()


@dataclass(frozen=True)
class Answer:
    """One answer that is being made."""

    gateway: StandInGateway
    request: Request
    send: Callable[[bytes], object]

    def line(self, told: Mapping[str, Any]) -> None:
        """Send one line as one chunk."""
        text = json.dumps(told).encode() + b"\n"
        self.send(b"%x\r\n%s\r\n" % (len(text), text))

    def lines(self, first: int = 0, last: int | None = None) -> None:
        """Store, and answer, the request's predictions from one to another."""
        for number, key in enumerate(self.request.keys[first:last], first + 1):
            self.line({"line": number, **self.gateway.store(key)})

    def end(self, done: Mapping[str, Any] | None = None) -> None:
        """Send the last line, and the end."""
        self.line({"done": True} if done is None else done)
        self.send(b"0\r\n\r\n")


def answer(to: Answer) -> None:
    """Store everything, and say so."""
    to.send(NDJSON)
    to.lines()
    to.end()


def says(status: int, *headers: str, body: str = "", kind: str = "application/problem+json") -> Act:
    """An answer for the request as a whole."""
    head = [f"HTTP/1.1 {status} Words", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers, "", body]
    return lambda to: to.send("\r\n".join(head).encode()) and None


def sends(raw: bytes) -> Act:
    """These bytes, and then the end."""

    def act(to: Answer) -> None:
        to.send(raw)
        raise CutError

    return act


def hangs(to: Answer) -> None:
    """Nothing, until the gateway is released."""
    to.gateway.released.wait(30)
    raise CutError


def waits(to: Answer) -> None:
    """Answer when the gateway is released."""
    to.gateway.released.wait(30)
    answer(to)


def cuts_after(count: int, *, stored: int = 0) -> Act:
    """Answer some, store as many as told, and cut the connection."""

    def act(to: Answer) -> None:
        to.send(NDJSON)
        to.lines(0, count)
        for key in to.request.keys[count:stored]:
            to.gateway.store(key)
        raise CutError

    return act


def _read(reader: BufferedReader) -> Request | None:
    first = reader.readline().split()
    if not first:
        return None
    headers = {}
    while line := reader.readline().strip():
        name, _, value = line.partition(b":")
        headers[name.decode().lower()] = value.strip().decode()
    return Request(first[1].decode(), headers, reader.read(int(headers["content-length"])))


@contextmanager
def standing_in(**options: Any) -> Iterator[StandInGateway]:
    """A gateway for as long as the block."""
    gateway = StandInGateway(**options)
    try:
        yield gateway
    finally:
        gateway.close()

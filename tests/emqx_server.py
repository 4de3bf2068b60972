"""A server that answers as EMQX's API does, as far as logins and permissions need it, and keeps what it was given."""

from __future__ import annotations

import csv
import io
import json
import re
import ssl
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

AUTHENTICATOR = "password_based:built_in_database"
ROWS = {"user_id", "password_hash", "salt", "is_superuser"}


class Emqx:
    """What is in it, and how it was asked.

    Attributes:
        answer: an answer to every request of a method and a path's end, instead of the right one.
        users: by name, the row of the table.
        rules: by name, the rules.
        clients: by client id, the user.
        asked: every request that had a good key.
    """

    def __init__(self) -> None:
        self.key = "signal-gateway:secret"
        self.answer: dict[tuple[str, str], tuple[int, Any]] = {}
        self.users: dict[str, dict[str, str]] = {}
        self.rules: dict[str, list[dict[str, str]]] = {}
        self.clients: dict[str, str] = {}
        self.asked: list[str] = []
        self.counts_imports = True
        self.url = ""

    def respond(self, method: str, target: str, content: str, body: bytes) -> tuple[int, Any]:
        """The status and document of a request to ``/api/v5``."""
        parts = urlsplit(target)
        path = unquote(parts.path).removeprefix("/api/v5")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append(f"{method} {path}")
        for (of, end), answer in self.answer.items():
            if method == of and path.endswith(end):
                return answer
        words = path.removeprefix("/").split("/")
        for station in (self._authentication, self._authorization, self._connections):
            answered = station(method, words, query, (content, body))
            if answered is not None:
                return answered
        return 404, {"code": "NOT_FOUND", "message": f"no such path: {path}"}

    def _authentication(
        self, method: str, words: list[str], query: dict[str, str], sent: tuple[str, bytes]
    ) -> tuple[int, Any] | None:
        match method, words:
            case "GET", ["authentication", name] if name == AUTHENTICATOR:
                return 200, {"mechanism": "password_based", "backend": "built_in_database"}
            case "POST", ["authentication", name, "import_users"] if name == AUTHENTICATOR:
                return self._import(query, *sent)
            case "DELETE", ["authentication", name, "users", user] if name == AUTHENTICATOR:
                return self._delete(self.users, user)
        return None

    def _authorization(
        self, method: str, words: list[str], _: dict[str, str], sent: tuple[str, bytes]
    ) -> tuple[int, Any] | None:
        match method, words:
            case "GET", ["authorization", "sources", "built_in_database"]:
                return 200, {"type": "built_in_database", "enable": True}
            case "PUT", ["authorization", "sources", "built_in_database", "rules", "users", user]:
                return self._put_rules(user, json.loads(sent[1]))
            case "DELETE", ["authorization", "sources", "built_in_database", "rules", "users", user]:
                return self._delete(self.rules, user)
        return None

    def _connections(
        self, method: str, words: list[str], query: dict[str, str], sent: tuple[str, bytes]
    ) -> tuple[int, Any] | None:
        match method, words:
            case "GET", ["clients"]:
                found = [{"clientid": one, "username": user} for one, user in self.clients.items()]
                data = [client for client in found if client["username"] == query["username"]][: int(query["limit"])]
                return 200, {"data": data, "meta": {"count": len(data)}}
            case "POST", ["clients", "kickout", "bulk"]:
                for one in json.loads(sent[1]):
                    self.clients.pop(one, None)
                return 204, None
        return None

    def _import(self, query: dict[str, str], content: str, body: bytes) -> tuple[int, Any]:
        boundary = re.fullmatch(r"multipart/form-data; boundary=(\w+)", content)
        if query != {"type": "hash"} or boundary is None:
            return 400, {"code": "BAD_REQUEST", "message": "type and a form"}
        part = re.fullmatch(
            rf'--{boundary[1]}\r\nContent-Disposition: form-data; name="filename"; filename="(\w+\.csv)"\r\n'
            rf"Content-Type: text/csv\r\n\r\n(.*)\r\n--{boundary[1]}--\r\n",
            body.decode(),
            re.DOTALL,
        )
        rows = list(csv.DictReader(io.StringIO(part[2]))) if part else []
        if not rows or any(set(row) != ROWS for row in rows):
            return 400, {"code": "BAD_REQUEST", "message": "bad_format"}
        self.users |= {row["user_id"]: row for row in rows}
        count = {"total": len(rows), "success": len(rows), "override": 0, "skipped": 0, "failed": 0}
        return (200, count) if self.counts_imports else (204, None)

    def _put_rules(self, user: str, document: Any) -> tuple[int, Any]:
        if document.get("username") != user or not isinstance(document.get("rules"), list):
            return 400, {"code": "BAD_REQUEST", "message": "username"}
        for rule in document["rules"]:
            good = rule["permission"] in {"allow", "deny"} and rule["action"] in {"publish", "subscribe", "all"}
            if not good or not rule["topic"]:
                return 400, {"code": "BAD_REQUEST", "message": "rule"}
        if len(document["rules"]) > 1000:
            return 400, {"code": "BAD_REQUEST", "message": "The length of rules exceeds the maximum limit."}
        self.rules[user] = document["rules"]
        return 204, None

    def _delete(self, kept: dict[str, Any], name: str) -> tuple[int, Any]:
        if name not in kept:
            return 404, {"code": "NOT_FOUND", "message": "Not Found"}
        del kept[name]
        return 204, None


@contextmanager
def serving(emqx: Emqx, *, tls: ssl.SSLContext | None = None) -> Iterator[Emqx]:
    """Serve it on a free port, with its ``url`` set."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kind, _, login = self.headers.get("Authorization", "").partition(" ")
            if kind != "Basic" or b64decode(login).decode() != emqx.key:
                status, document = 401, {"code": "BAD_API_KEY_OR_SECRET", "message": "Check api_key/api_secret"}
            else:
                status, document = emqx.respond(self.command, self.path, self.headers.get("Content-Type", ""), body)
            text = (
                b"" if document is None else document if isinstance(document, bytes) else json.dumps(document).encode()
            )
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", str(len(text)))
                self.send_header("Content-Type", "application/json")
            self.end_headers()
            if status != 204:
                self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Nothing: it would go to stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    emqx.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield emqx
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""EMQX's REST API, as far as logins and permissions need it."""

from __future__ import annotations

import json
import secrets
import ssl
from base64 import b64encode
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from gateway.cli.failure import Exit, Failure
from gateway.config.settings import EmqxSettings
from gateway.config.store import read_secret

_TIMEOUT = 10.0
_GOOD = range(200, 300)
_BAD_KEY, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
_MOST_CLIENTS = 1000
_MOST_BYTES = 16_777_216
_MOST_ROUNDS = 100
_USERS = "/authentication/password_based%3Abuilt_in_database"
_RULES = "/authorization/sources/built_in_database"


class EmqxApi:
    """One EMQX, or any node of a cluster; what changes there acts in all of it.

    Raises:
        Failure: from every method: nobody answers, the key does not do, or EMQX refuses.
    """

    def __init__(self, settings: EmqxSettings) -> None:
        self._settings = settings
        self._key = read_secret(settings.key_file)
        if self._key is None:
            problem = f"{settings.key_file} cannot be read or is empty: signal-gateway emqx files DIR makes it"
            raise Failure(Exit.CONFIGURATION, problem)

    def check(self) -> None:
        """Return where EMQX answers, takes the key, and has what logins and permissions are put into."""
        for path, what in ((_USERS, "authentication"), (_RULES, "authorization")):
            if self._ask("GET", path, missing=True) == _NOT_FOUND:
                problem = f"EMQX at {self._settings.url} has no built_in_database for {what}"
                raise Failure(Exit.REFUSED, f"{problem}: deploy/emqx/emqx.conf shows it", status=_NOT_FOUND)

    def put_users(self, table: str) -> None:
        """Give the users of a table, in the form of ``users_text``, the logins in it, in place of what they had."""
        boundary = secrets.token_hex(16)
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="filename"; filename="users.csv"\r\n'
        body = f"{head}Content-Type: text/csv\r\n\r\n{table}\r\n--{boundary}--\r\n"
        content = f"multipart/form-data; boundary={boundary}"
        status, document = self._call("POST", f"{_USERS}/import_users?type=hash", body=body, content=content)
        failed = document.get("failed") if isinstance(document, dict) else None
        if failed:
            raise Failure(Exit.REFUSED, f"EMQX took all but {failed} of the logins", status=status)

    def put_rules(self, username: str, rules: Iterable[dict[str, str]]) -> None:
        """Give a user these rules in place of others."""
        document = {"username": username, "rules": list(rules)}
        self._ask("PUT", f"{_RULES}/rules/users/{quote(username, safe='')}", document=document)

    def remove(self, username: str) -> None:
        """Take a user's login, connections and rules away, in this order; what is not there is well."""
        self._ask("DELETE", f"{_USERS}/users/{quote(username, safe='')}", missing=True)
        self.disconnect(username)
        self._ask("DELETE", f"{_RULES}/rules/users/{quote(username, safe='')}", missing=True)

    def disconnect(self, username: str) -> None:
        """End a user's connections; their sessions end with them."""
        for _ in range(_MOST_ROUNDS):
            clients = self._clients(username)
            if clients:
                self._ask("POST", "/clients/kickout/bulk", document=clients)
            if len(clients) < _MOST_CLIENTS:
                return
        raise Failure(Exit.REFUSED, f"EMQX at {self._settings.url} does not end the connections of {username}")

    def _clients(self, username: str) -> list[str]:
        query = urlencode({"username": username, "limit": _MOST_CLIENTS})
        _, document = self._call("GET", f"/clients?{query}")
        try:
            return [str(client["clientid"]) for client in document["data"]]
        except (KeyError, TypeError):
            raise self._strange() from None

    def _ask(self, method: str, path: str, *, document: Any = None, missing: bool = False) -> int:
        body, content = (None, "") if document is None else (json.dumps(document), "application/json")
        status, _ = self._call(method, path, body=body, content=content, missing=missing)
        return status

    def _call(
        self, method: str, path: str, *, body: str | None = None, content: str = "", missing: bool = False
    ) -> tuple[int, Any]:
        """The status and the document of an answer; ``missing``: whether 404 is one that is expected."""
        headers = {
            "Authorization": f"Basic {b64encode(str(self._key).encode()).decode()}",
            "Accept": "application/json",
        }
        headers |= {"Content-Type": content} if content else {}
        connection = self._connection()
        try:
            connection.request(method, f"/api/v5{path}", body=body.encode() if body else None, headers=headers)
            response = connection.getresponse()
            status, text = response.status, response.read(_MOST_BYTES)
        except (OSError, HTTPException) as error:
            problem = f"no EMQX answers at {self._settings.url} ({error}): is it running, and is this its API?"
            raise Failure(Exit.UNREACHABLE, problem) from None
        finally:
            connection.close()
        document = _document(text)
        if status not in _GOOD and not (missing and status == _NOT_FOUND):
            raise self._refused(status, document)
        return status, document

    def _connection(self) -> HTTPConnection:
        parts = urlsplit(self._settings.url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            try:
                context = ssl.create_default_context(cafile=self._settings.ca)
            except OSError as error:
                problem = f"emqx.ca: {self._settings.ca} cannot be read, or holds no certificate ({error})"
                raise Failure(Exit.CONFIGURATION, problem) from None
            return HTTPSConnection(host, parts.port, timeout=_TIMEOUT, context=context)
        return HTTPConnection(host, parts.port, timeout=_TIMEOUT)

    def _refused(self, status: int, document: Any) -> Failure:
        key, url = self._settings.key_file, self._settings.url
        if status == _BAD_KEY:
            problem = f"EMQX at {url} refuses the key in {key}: is it in the api-keys that EMQX was started with?"
            return Failure(Exit.UNREACHABLE, problem, status=status)
        if status == _FORBIDDEN:
            problem = f"EMQX at {url}: the key in {key} may not do this: it needs the role administrator"
            return Failure(Exit.REFUSED, problem, status=status)
        said = document if isinstance(document, dict) else {}
        words = " ".join(str(said[name])[:300] for name in ("code", "message") if said.get(name))
        return Failure(Exit.REFUSED, f"EMQX at {url} answered {status}{': ' if words else ''}{words}", status=status)

    def _strange(self) -> Failure:
        return Failure(Exit.UNREACHABLE, f"what answers at {self._settings.url} is no EMQX: see emqx.url")


def _document(text: bytes) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None

"""One HTTP request to the gateway on this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlencode

from gateway.cli.failure import Exit, Failure
from gateway.config.settings import Address, Settings
from gateway.config.store import read_secret

_TIMEOUT = 10.0
_OK = 200
_REDIRECT = 300
_UNAUTHORISED = 401


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; ``content`` is its JSON value, None where it is none."""

    status: int
    content: Any

    @property
    def good(self) -> bool:
        """Whether the request was accepted."""
        return _OK <= self.status < _REDIRECT

    @property
    def document(self) -> Mapping[str, Any]:
        """The content as an object; empty where it is none."""
        return self.content if isinstance(self.content, dict) else {}


def request(
    address: Address,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
    timeout: float = _TIMEOUT,
) -> Answer:
    """Send a request.

    Raises:
        Failure: nobody answers there, or not in HTTP; with the fact ``sent`` where the request went out.
    """
    connection = HTTPConnection(address.local.host, address.port, timeout=timeout)
    facts = {}
    try:
        connection.request(method, path, body=body, headers=dict(headers))
        facts = {"sent": True}
        response = connection.getresponse()
        return Answer(response.status, _content(response.read()))
    except (OSError, HTTPException) as error:
        problem = f"no gateway answers at {address.local} ({error}): start it with signal-gateway run"
        raise Failure(Exit.UNREACHABLE, problem, **facts) from None
    finally:
        connection.close()


def call_api(
    settings: Settings,
    method: str,
    path: str,
    *,
    query: Mapping[str, Any] | None = None,
    document: Mapping[str, Any] | None = None,
    timeout: float = _TIMEOUT,
) -> Mapping[str, Any]:
    """Ask the private API of the running gateway.

    Raises:
        Failure: it cannot be reached, refuses the token, or answers with a problem.
    """
    token = read_secret(settings.folder.api_token)
    if token is None:
        raise Failure(Exit.CONFIGURATION, f"{settings.folder.api_token} cannot be read: run signal-gateway init")
    given = {name: value for name, value in (query or {}).items() if value is not None}
    target = f"/api/v1{path}{'?' + urlencode(given) if given else ''}"
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    body = json.dumps(document or {}).encode() if method == "POST" else None
    headers |= {"Content-Type": "application/json"} if body else {}
    answer = request(settings.http.private, method, target, headers=headers, body=body, timeout=timeout)
    if not answer.good:
        raise _refused(answer, settings)
    return answer.document


def _refused(answer: Answer, settings: Settings) -> Failure:
    if answer.status == _UNAUTHORISED:
        problem = f"the gateway refuses the token in {settings.folder.api_token}: is it another gateway's?"
        return Failure(Exit.UNREACHABLE, problem, status=answer.status)
    document = answer.document
    words = document.get("detail") or document.get("title") or f"the gateway answered {answer.status}"
    return Failure(Exit.REFUSED, str(words), status=answer.status, problem=document)


def _content(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None

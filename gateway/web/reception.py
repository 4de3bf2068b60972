"""What the addresses of the public listener share: who may call at all, which headers count, and the answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from aiohttp import hdrs
from aiohttp.web import BaseRequest, Response

from gateway.errors import Code, NotStored, Refused, Unauthorised
from gateway.telemetry import Telemetry
from gateway.web.address import client, within
from gateway.web.settings import PublicSettings
from schemas.errors import Fault

_JSON = {"Content-Type": "application/json"}
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_MAX_KEY = 255


class Entry(Protocol):
    """What became of one signal of a request."""

    @property
    def id(self) -> str: ...
    @property
    def duplicate(self) -> bool: ...


class Taken(Protocol):
    """What became of a request."""

    @property
    def entries(self) -> Sequence[Entry]: ...
    @property
    def is_array(self) -> bool: ...


@contextmanager
def reported(telemetry: Telemetry) -> Iterator[None]:
    """Report what is turned away before anybody knows whose it is."""
    try:
        yield
    except Refused as refused:
        telemetry.turned_away(code=refused.code.code, problem=refused.faults[0].problem)
        raise
    except Unauthorised as unauthorised:
        telemetry.unauthorised(cause=unauthorised.cause)
        raise
    except NotStored as not_stored:
        telemetry.not_stored(cause=not_stored.cause)
        raise


def admit(request: BaseRequest, settings: PublicSettings) -> None:
    """Let an address in.

    Raises:
        Unauthorised: it is not allowed.
    """
    if not settings.allow_from:
        return
    forwarded = request.headers.getall(hdrs.X_FORWARDED_FOR, [])
    address = client(request.remote, forwarded, trusted=settings.trusted_proxies)
    if address is None or not within(address, settings.allow_from):
        raise Unauthorised("address")


class Slots:
    """How many may be at something at once; who finds no place is reported."""

    def __init__(self, most: int, *, problem: str, telemetry: Telemetry) -> None:
        self._most = most
        self._problem = problem
        self._telemetry = telemetry
        self._taken = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Take a place for the time of the block.

        Raises:
            NotStored: there is none.
        """
        if self._taken >= self._most:
            self._telemetry.not_stored(cause="busy")
            raise NotStored("busy", self._problem)
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


def accepted(taken: Taken) -> Response:
    """Answer for what is on disk: 202, or 200 for a duplicate; an array gets 202 with an entry for each."""
    if taken.is_array:
        return Response(status=202, body=f"[{','.join(map(_entry, taken.entries))}]".encode(), headers=_JSON)
    (entry,) = taken.entries
    return Response(status=200 if entry.duplicate else 202, body=_entry(entry).encode(), headers=_JSON)


def _entry(entry: Entry) -> str:
    return f'{{"id":"{entry.id}","status":"{"duplicate" if entry.duplicate else "accepted"}"}}'


def idempotency_key(header: str | None) -> str | None:
    """Read the header: a string in quotes, as its draft says, or bare, as most send it.

    Raises:
        Refused: it is longer than 255 characters.
    """
    if header is None:
        return None
    key = header.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = re.sub(r"\\(.)", r"\1", key[1:-1])
    if len(key) > _MAX_KEY:
        problem = f"The key may have {_MAX_KEY} characters"
        raise Refused(Code.INVALID, Fault(where="Idempotency-Key", problem=problem, found=key[:80]))
    return key or None


def traceparent(header: str | None) -> str | None:
    """Keep a well-formed W3C trace context, drop anything else."""
    return header if header is not None and _TRACEPARENT.fullmatch(header) else None

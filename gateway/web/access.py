"""Who may use the private API: Bearer keys and roles, and the Host and Origin that a browser cannot be tricked into."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

from aiohttp import hdrs
from aiohttp.web import BaseRequest

from gateway.errors import Misconfigured, Unauthorised
from gateway.roles import Caller, Role
from gateway.web.address import parse
from gateway.web.problem import Problem
from gateway.web.settings import PrivateSettings

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class ApiKeys:
    """The API's keys; only their SHA-256 is kept, which is enough for random ones.

    Args:
        digests: SHA-256 of administrators' keys by their ids, the names that the audit log has.
        clients: everybody else with SHA-256 of their keys, as they are now.
    """

    def __init__(
        self, digests: Mapping[str, bytes], *, clients: Callable[[], Iterable[tuple[Caller, bytes]]] = tuple
    ) -> None:
        self._own = [(Caller(name=id_, role=Role.ADMIN), digest) for id_, digest in digests.items()]
        self._clients = clients

    def __bool__(self) -> bool:
        return any(True for _ in self._all())

    def whose(self, secret: str) -> Caller | None:
        """Whose key has this secret; every key is compared, whichever fits."""
        shown = hashlib.sha256(secret.encode(errors="replace")).digest()
        found = None
        for caller, digest in self._all():
            if hmac.compare_digest(shown, digest):
                found = caller
        return found

    def _all(self) -> Iterable[tuple[Caller, bytes]]:
        return (*self._own, *self._clients())


def ensure_guarded(settings: PrivateSettings, *, keys: ApiKeys) -> None:
    """Refuse to open the API to other machines without a key.

    Raises:
        Misconfigured: it listens off loopback, and there is no key.
    """
    address = parse(settings.host)
    loopback = settings.host == "localhost" or (address is not None and address.is_loopback)
    if not (loopback or keys):
        raise Misconfigured(
            f"The private API may not listen on {settings.host} without a key: "
            "make one, or set http.private.host to 127.0.0.1."
        )


class Gate:
    """Lets a request to the API in, or says why not."""

    def __init__(self, settings: PrivateSettings, *, keys: ApiKeys) -> None:
        ensure_guarded(settings, keys=keys)
        self._hosts = _LOOPBACK | {name.lower() for name in (settings.host, *settings.hosts)}
        self._keys = keys

    def admit(self, request: BaseRequest) -> Caller:
        """Return whose key was shown.

        Raises:
            Problem: a Host that is not ours, or an Origin that is not this host.
            Unauthorised: no valid key.
        """
        host = request.headers.get(hdrs.HOST, "").lower()
        if _name(host) not in self._hosts:
            detail = "Add the name to http.private.hosts, or use one that is there."
            raise Problem(403, "forbidden_host", "The API is not reached by this name", detail=detail)
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and origin.lower().partition("://")[2] != host:
            raise Problem(403, "forbidden_origin", "Another site's page may not use the API")
        scheme, _, secret = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        caller = self._keys.whose(secret.strip())
        if scheme.lower() != "bearer" or caller is None:
            raise Unauthorised("api_key")
        return caller


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None

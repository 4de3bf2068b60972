"""The logins at the embedded broker: the gateway's own, the bots' and the clients', as their files are now."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from gateway.config.bots import Bot, read_bots
from gateway.config.clients import Client, read_clients
from gateway.config.folder import Folder
from gateway.config.passwords import hashed, matches
from gateway.config.permissions import client_permissions, gateway_permissions, permissions
from gateway.config.store import Watched
from gateway.mqtt.permissions import Permissions
from schemas.topics import Topics

_DECOY = hashed(secrets.token_hex())


class BrokerLogins:
    """Says what a login may do; one that was removed is none at once.

    Args:
        gateway: the gateway's own name and password.
    """

    def __init__(self, folder: Folder, *, topics: Topics, gateway: tuple[str, str]) -> None:
        self._bots_file = Watched(folder.bots, read=read_bots, take=self._take_bots)
        self._clients_file = Watched(folder.clients, read=read_clients, take=self._take_clients)
        self._topics = topics
        self._gateway, password = gateway
        self._own = hashed(password)
        self._bots: Mapping[str, Bot] = {}
        self._clients: Mapping[str, Client] = {}
        self._revoked: set[str] = set()

    def login(self, username: str, password: str) -> Permissions | None:
        """The permissions of a login; None for an unknown name and for a wrong password, after the same work."""
        self._look()
        own, known = username == self._gateway, self._bots.get(username) or self._clients.get(username)
        kept = self._own if own else known.password_hash if known else None
        if not matches(password, kept or _DECOY) or kept is None:
            return None
        if own or known is None:
            return gateway_permissions(self._topics)
        if isinstance(known, Client):
            return client_permissions(known, self._topics)
        return permissions(known.name, known.sources, self._topics)

    def revoked(self) -> tuple[str, ...]:
        """Who lost a login, or has another one, since the last call: their connections are to be ended."""
        self._look()
        revoked, self._revoked = tuple(sorted(self._revoked)), set()
        return revoked

    def _look(self) -> None:
        self._bots_file.look()
        self._clients_file.look()

    def _take_bots(self, bots: Mapping[str, Bot]) -> None:
        self._revoked |= {name for name, bot in self._bots.items() if bots.get(name) != bot}
        self._bots = bots

    def _take_clients(self, clients: Mapping[str, Client]) -> None:
        self._revoked |= {name for name, client in self._clients.items() if clients.get(name) != client}
        self._clients = clients

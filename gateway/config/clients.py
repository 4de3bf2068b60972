"""Clients: people and programs with a key of the private API, and with a login at the broker where they want one."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.config.keyring import digest, new_token
from gateway.config.passwords import hashed, matches
from gateway.config.store import Watched, locked, read_json, write_json
from gateway.errors import Misconfigured
from gateway.roles import Caller, Role
from schemas.fields import from_micros, instant_text, is_name

RESERVED = frozenset({"api", "gateway"})
"""The administrator's key that ``init`` makes, and the client that the gateway itself is in reply topics."""

_SHA256 = 32
_MOST_NAME = 64
"""Characters, as ``BotClient`` has it: a name is a part of MQTT client ids too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client, without its secrets.

    Args:
        bots: the bots that it is limited to; empty for all.
        token: SHA-256 of its key.
        password_hash: of its login at the broker; None for none.
        legacy: whether the login may read replies where commlib-py and hummingbot-api want them.
        created: RFC 3339.
    """

    name: str
    role: Role
    bots: tuple[str, ...] = ()
    token: bytes = field(repr=False)
    password_hash: str | None = field(default=None, repr=False)
    legacy: bool = False
    created: str

    @property
    def caller(self) -> Caller:
        """What it is to the private API."""
        return Caller(name=self.name, role=self.role, bots=self.bots)


@dataclass(frozen=True, slots=True)
class Given:
    """A client's secrets, the only time that they are seen."""

    token: str = field(repr=False)
    password: str | None = field(repr=False)


def client_name_problem(name: str, *, gateway: str) -> str:
    """Why a client cannot have this name; empty where it can."""
    if not is_name(name) or len(name) > _MOST_NAME:
        return f"has only A-Z a-z 0-9 _ and -, 1 to {_MOST_NAME} of them"
    taken = name in RESERVED or name == gateway
    return f"is not {name!r}, which is the gateway's own" if taken else ""


def read_clients(path: Path) -> dict[str, Client]:
    """Every client by its name.

    Raises:
        Misconfigured: the file is damaged.
    """
    try:
        return {name: _client(name, kept) for name, kept in read_json(path).get("clients", {}).items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"is damaged ({error}): restore it, or remove it and run clients add again"
        raise Misconfigured(f"{path}: {problem}") from None


def put_client(
    path: Path, name: str, *, role: Role, bots: tuple[str, ...], broker: bool, legacy: bool, now: int
) -> Given:
    """Give a client a key, and a login where ``broker`` says so; what it had before ends."""
    given = Given(new_token(), secrets.token_urlsafe(32) if broker else None)
    client = Client(
        name=name,
        role=role,
        bots=bots,
        token=digest(given.token),
        password_hash=hashed(given.password) if given.password else None,
        legacy=legacy,
        created=instant_text(from_micros(now)),
    )
    _change(path, lambda clients: clients | {name: client})
    return given


def remove_client(path: Path, name: str) -> bool:
    """Take a client's key and login away; False where there is no such client."""
    removed: list[Client] = []

    def without(clients: dict[str, Client]) -> dict[str, Client]:
        removed.extend(client for client in (clients.pop(name, None),) if client)
        return clients

    _change(path, without)
    return bool(removed)


def _change(path: Path, change: Callable[[dict[str, Client]], dict[str, Client]]) -> None:
    with locked(path):
        clients = change(read_clients(path))
        write_json(path, {"version": 1, "clients": {name: _wire(client) for name, client in clients.items()}})


def _client(name: str, kept: Mapping[str, Any]) -> Client:
    password_hash, token = kept["password"], bytes.fromhex(kept["sha256"])
    if password_hash is not None:
        matches("", password_hash)
    if len(token) != _SHA256:
        raise ValueError("no SHA-256")
    return Client(
        name=name,
        role=Role(kept["role"]),
        bots=tuple(map(str, kept["bots"])),
        token=token,
        password_hash=password_hash,
        legacy=bool(kept["legacy"]),
        created=str(kept["created"]),
    )


def _wire(client: Client) -> dict[str, Any]:
    return {
        "role": client.role.value,
        "bots": list(client.bots),
        "sha256": client.token.hex(),
        "password": client.password_hash,
        "legacy": client.legacy,
        "created": client.created,
    }


class ClientKeys:
    """Whose keys open the private API, with the SHA-256 of each, by the file as it is now."""

    def __init__(self, path: Path) -> None:
        self._file = Watched(path, read=read_clients, take=self._take)
        self._keys: tuple[tuple[Caller, bytes], ...] = ()

    def __call__(self) -> tuple[tuple[Caller, bytes], ...]:
        self._file.look()
        return self._keys

    def _take(self, clients: Mapping[str, Client]) -> None:
        self._keys = tuple((client.caller, client.token) for client in clients.values())

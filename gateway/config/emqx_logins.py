"""What an EMQX should have of everybody's logins, and what it is known to have."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from gateway.config.credentials import allowed, hashes
from gateway.config.emqx import database_rules
from gateway.config.folder import Folder
from gateway.config.settings import Settings
from gateway.config.store import PRIVATE_FOLDER, read_json, write_json
from gateway.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Pending:
    """What an EMQX lacks: logins to be put there, and logins to be taken away.

    Args:
        unfit: those that cannot be put there, as EMQX cannot check their passwords.
    """

    put: tuple[str, ...]
    remove: tuple[str, ...]
    unfit: tuple[str, ...] = ()

    def without(self, unfit: Collection[str]) -> Pending:
        """The same, where these cannot be put there."""
        put = tuple(name for name in self.put if name not in unfit)
        return Pending(put=put, remove=self.remove, unfit=tuple(name for name in self.put if name in unfit))

    @property
    def left(self) -> Iterator[str]:
        """What the operator has to do for those that cannot be put there."""
        for name in self.unfit:
            again = f"signal-gateway bots rotate {name} (clients rotate, if it is one)"
            yield f"left to do: {name} has a password of an older version, which EMQX cannot check: {again}"


def wanted(settings: Settings) -> dict[str, str]:
    """By name, what differs when a password or a permission does."""
    secrets, link = hashes(settings), settings.link
    if link.username and link.password:
        secrets[link.username] = link.password
    return {name: _digest(secrets[name], database_rules(may)) for name, may in allowed(settings).items()}


def there(folder: Folder) -> dict[str, str]:
    """The same of what was put into EMQX, as far as this gateway knows.

    Raises:
        Misconfigured: the file cannot be read.
    """
    kept = read_json(folder.emqx).get("logins", {})
    return {str(name): str(digest) for name, digest in kept.items()} if isinstance(kept, dict) else {}


def remember(folder: Folder, logins: Mapping[str, str]) -> None:
    """Write down what is there now."""
    write_json(folder.emqx, {"version": 1, "logins": dict(logins)})


def doubt(folder: Folder, before: Folder) -> None:
    """Keep of what was put into EMQX the names alone: all is put there anew, and who is no more is taken away.

    Args:
        folder: whose memory of it is an old one.
        before: who may have put more there since.
    """
    names = set[str]()
    for one in (folder, before):
        with suppress(Misconfigured):
            names |= there(one).keys()
    if names:
        folder.secrets.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        remember(folder, dict.fromkeys(names, ""))


def pending(wants: Mapping[str, str], has: Mapping[str, str]) -> Pending:
    """The difference of both."""
    put = tuple(sorted(name for name, digest in wants.items() if has.get(name) != digest))
    return Pending(put=put, remove=tuple(sorted(has.keys() - wants.keys())))


def not_pushed(settings: Settings) -> Iterator[str]:
    """A warning where an EMQX is configured and lacks something."""
    if settings.emqx is None:
        return
    lacks = pending(wanted(settings), there(settings.folder))
    names = [*lacks.put, *(f"{name} (removed)" for name in lacks.remove)]
    if names:
        yield f"emqx: does not have as they are now the logins {', '.join(names)}: run signal-gateway emqx push"


def _digest(secret: str, rules: list[dict[str, str]]) -> str:
    return hashlib.sha256(json.dumps([secret, rules]).encode("utf-8", "surrogatepass")).hexdigest()

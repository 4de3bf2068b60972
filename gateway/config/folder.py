"""The data folder: what is where, and who may read it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.config.store import PRIVATE, PRIVATE_FOLDER
from gateway.errors import Misconfigured

CONFIG = "signal-gateway.yml"
_OTHERS = 0o077
_OTHERS_THAN_ROOT_AND_ITS_GROUP = 0o037


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of one gateway."""

    root: Path
    config: Path

    @property
    def secrets(self) -> Path:
        """The folder that only its owner may open."""
        return self.root / "secrets"

    @property
    def keys(self) -> Path:
        """The sources' webhook tokens, hashed."""
        return self.secrets / "keys.json"

    @property
    def bots(self) -> Path:
        """The bots' logins at the broker, hashed."""
        return self.secrets / "bots.json"

    @property
    def clients(self) -> Path:
        """The clients' keys and logins, hashed."""
        return self.secrets / "clients.json"

    @property
    def emqx(self) -> Path:
        """What an external EMQX is known to have of the logins."""
        return self.secrets / "emqx.json"

    @property
    def broker_password(self) -> Path:
        """The gateway's own password at the broker."""
        return self.secrets / "gateway-broker.password"

    @property
    def api_token(self) -> Path:
        """What opens the private API."""
        return self.secrets / "api.token"

    @property
    def changes(self) -> Path:
        """What is locked while a command changes logins and writes what follows from them."""
        return self.secrets / "changes"

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.root / "journal" / "journal.db"

    def bot_env(self, bot: str) -> Path:
        """The login of a bot on this machine, as the lines of its environment."""
        return self.root / "bots" / f"{bot}.env"

    def open_to_others(self, more: Iterable[Path] = ()) -> Iterator[str]:
        """A warning for each secret that others on this machine can read; ``more``: those that are elsewhere."""
        if self.secrets.exists() and self.secrets.stat().st_mode & _OTHERS:
            yield f"{self.secrets}: others can open it: chmod {PRIVATE_FOLDER:o} {self.secrets}"
        secrets = (self.keys, self.bots, self.clients, self.emqx, self.broker_password, self.api_token)
        own = (*secrets, *self.root.glob("bots/*.env"))
        for file in dict.fromkeys((*own, *more)):
            if file.exists() and _open_to_others(file.stat()):
                yield f"{file}: others can read it: chmod {PRIVATE:o} {file}"


def _open_to_others(found: os.stat_result) -> bool:
    """Whether others can read a secret; root may give its own to the gateway's group, as Kubernetes does."""
    given = found.st_uid == 0 and os.geteuid() != 0
    return bool(found.st_mode & (_OTHERS_THAN_ROOT_AND_ITS_GROUP if given else _OTHERS))


def find_folder(config: str | None, data: str | None, environ: Mapping[str, str]) -> Folder:
    """Find the data folder: as given, else by SIGNAL_GATEWAY_DATA, else beside the configuration, else ``./data``."""
    config = config or environ.get("SIGNAL_GATEWAY_CONFIG")
    data = data or environ.get("SIGNAL_GATEWAY_DATA")
    if config:
        return Folder(Path(data) if data else Path(config).parent, Path(config))
    root = Path(data or "data")
    if root.exists() and not root.is_dir():
        raise Misconfigured(f"{root}: is not a folder: give another with --data or SIGNAL_GATEWAY_DATA")
    return Folder(root, root / CONFIG)

"""The files that an EMQX is started with: the gateway's login and permissions, and fresh credentials of its own.

They name nobody else: EMQX reads them at each start, and would let in again whoever was removed in the meantime.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from gateway.config.emqx import acl_text, users_text
from gateway.config.passwords import hashed
from gateway.config.permissions import gateway_permissions
from gateway.config.settings import EmqxSettings, Settings
from gateway.config.store import PRIVATE, PRIVATE_FOLDER, read_secret, write
from gateway.errors import Misconfigured

PROMETHEUS = "prometheus"
"""The key that may read metrics, and nothing else."""

_KEY = "signal-gateway"
_OTHERS = 0o077
_OPEN = 0o644
"""Of files in a folder that only its owner may enter: EMQX's container has another user, who gets each file alone."""


def write_emqx_files(settings: Settings, emqx: EmqxSettings, folder: Path) -> list[Path]:
    """Write the files into a folder; credentials that are there stay.

    Args:
        settings: whose login and permissions they are.
        emqx: where the gateway's own key of the API is kept.
        folder: made for its owner only; one that others may enter is left alone.

    Raises:
        Misconfigured: the gateway has no login, or others may enter the folder.
    """
    username, password = settings.link.username, settings.link.password
    if username is None or password is None:
        raise Misconfigured(f"{settings.folder.config}: broker.password_file is missing: the gateway has no login")
    folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    if folder.stat().st_mode & _OTHERS:
        problem = "others may enter it, and would read the keys: name a folder that is not there yet, or chmod 700 it"
        raise Misconfigured(f"{folder}: {problem}")
    key = _kept(emqx.key_file, f"{_KEY}:{secrets.token_urlsafe(32)}", mode=PRIVATE)
    prometheus = _kept(folder / "prometheus.password", secrets.token_urlsafe(32), mode=_OPEN)
    node = f"EMQX_NODE__COOKIE={secrets.token_hex(32)}\nEMQX_DASHBOARD__DEFAULT_PASSWORD={secrets.token_urlsafe(24)}"
    _kept(folder / "emqx.env", node, mode=PRIVATE)
    contents = {
        "acl.conf": acl_text({username: gateway_permissions(settings.topics)}),
        "users.csv": users_text({username: hashed(password)}),
        "api-keys": f"{key}:administrator\n{PROMETHEUS}:{prometheus}:viewer\n",
    }
    for name, text in contents.items():
        write(folder / name, text, mode=_OPEN)
    return [emqx.key_file, *(folder / name for name in ("emqx.env", "prometheus.password", *contents))]


def _kept(file: Path, new: str, *, mode: int) -> str:
    """What a file holds; where it holds nothing, what is new and is written into it."""
    kept = read_secret(file)
    if kept is None:
        file.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        write(file, new + "\n", mode=mode)
    return kept or new

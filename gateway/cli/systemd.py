"""Says to systemd that the gateway is ready, where systemd asks to be told (``Type=notify``)."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress


def tell(environ: Mapping[str, str], state: str) -> None:
    """Send a state, such as ``READY=1``, to NOTIFY_SOCKET; nothing where there is none, and no error."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.settimeout(1.0)
        out.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        out.send(state.encode())

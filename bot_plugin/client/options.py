"""What every command takes besides its own parameters."""

from __future__ import annotations

from typing import TypedDict


class CallOptions(TypedDict, total=False):
    """How a command is sent.

    Args:
        within: seconds to wait for the answer; the settings' timeout unless given.
        idempotency_key: the call's id; random unless given. A bot with the plugin runs a command once per id and name
            of the client, also across restarts, and answers a repeated one as the first. A stock Hummingbot runs each.
    """

    within: float | None
    idempotency_key: str | None

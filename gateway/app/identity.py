"""What the parts know the time by, and what they name things with."""

from __future__ import annotations

import time

import uuid_utils


def clock() -> int:
    """Microseconds since the epoch, by this machine's clock."""
    return time.time_ns() // 1000


def new_id() -> str:
    """A UUIDv7."""
    return str(uuid_utils.uuid7())

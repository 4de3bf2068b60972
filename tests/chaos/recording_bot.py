"""A bot that writes down each call of its handler, before and after, straight into a file: a SIGKILL loses no line."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

from bot_plugin import SignalListener

SLOW_EVERY = 20
SLOW = 0.1
"""One handler in twenty takes 0.1 s, so that some kills fall into one."""

record = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
listener = SignalListener.from_env()


def write(**entry: object) -> None:
    """Write a line, without a buffer and without fsync."""
    os.write(record, json.dumps(entry | {"at": time.time_ns() // 1000}, separators=(",", ":")).encode() + b"\n")


def mend() -> None:
    """End a line that a kill cut off."""
    size = os.fstat(record).st_size
    if size and os.pread(record, 1, size - 1) != b"\n":
        os.write(record, b"\n")


@listener.on_trade("*")
async def act(signal):
    expires = int(signal.expires_at.timestamp() * 1_000_000)
    write(start=signal.id, key=signal.key, sequence=signal.sequence, expires=expires)
    if signal.sequence % SLOW_EVERY == 0:
        await asyncio.sleep(SLOW)
    write(end=signal.id)


async def main() -> None:
    mend()
    write(began=os.getpid())
    async with asyncio.TaskGroup() as group:
        group.create_task(listener.run())
        await listener.wait_connected()
        write(listening=os.getpid())


asyncio.run(main())

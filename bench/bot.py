"""A bot with one callback: it writes down how long each signal took from its sender to here."""

from __future__ import annotations

import asyncio
import struct
import sys
import time
from pathlib import Path

from bot_plugin import Signal, SignalListener


async def main(samples: Path, listening: Path) -> None:
    """Listen until told to stop; ``message`` holds the sender's clock in nanoseconds, where it holds anything."""
    listener = SignalListener.from_env()
    with samples.open("ab", buffering=0) as file:

        @listener.on_trade("*")
        async def act(signal: Signal) -> None:
            sent = signal.body.message
            if sent:
                file.write(struct.pack("<q", time.time_ns() - int(sent)))

        @listener.on_topic("signals/v1/prediction/+/+")
        async def hear(_: str, __: bytes) -> None:
            pass

        async with asyncio.TaskGroup() as group:
            group.create_task(listener.run())
            await listener.wait_connected()
            listening.touch()  # noqa: ASYNC240  once, before anything is measured


if __name__ == "__main__":
    asyncio.run(main(*map(Path, sys.argv[1:])))

"""A bot to be killed: it writes down when its handlers begin and end, and what it is told was interrupted."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from bot_plugin import SignalListener

record = Path(sys.argv[1]).open("a", buffering=1)  # noqa: SIM115  for as long as the process lives
listener = SignalListener.from_env()


def write(what: str, signal: object) -> None:
    record.write(json.dumps([what, signal.source, signal.id]) + "\n")


@listener.on_trade("*", name="act")
async def act(signal):
    write("act", signal)
    await asyncio.sleep(0.004)
    write("acted", signal)


@listener.on_trade("*", name="safe", rerun=True)
async def safe(signal):
    write("safe", signal)
    await asyncio.sleep(0.001)


@listener.on_interrupted
def interrupted(signal):
    write("interrupted", signal)


asyncio.run(listener.run())

"""A bot that writes down every signal that its callbacks see, a JSON line each."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from bot_plugin import PluginSettings, SignalListener

FAIL_KEY = os.environ.get("FAIL_KEY", "")
SLOW_KEY = os.environ.get("SLOW_KEY", "")
SLOW_SECONDS = float(os.environ.get("SLOW_SECONDS", "60"))
THREADED = os.environ.get("THREADED") == "1"

AHEAD = int(float(os.environ.get("CLOCK_AHEAD", "0")) * 1e6)

record = Path(sys.argv[1]).open("a", buffering=1)  # noqa: SIM115  for as long as the process lives
listener = SignalListener(PluginSettings.from_env(), now=lambda: time.time_ns() // 1000 + AHEAD)


def write(signal: object, handler: str) -> None:
    """Write one signal down."""
    entry = {"id": signal.id, "key": signal.key, "sequence": signal.sequence, "handler": handler, "at": time.time_ns()}
    record.write(json.dumps(entry) + "\n")


if THREADED:

    @listener.on_trade("*")
    def act(signal):
        write(signal, "act")
        if signal.key == SLOW_KEY:
            time.sleep(SLOW_SECONDS)

else:

    @listener.on_trade("*")
    async def act(signal):
        write(signal, "act")
        if signal.key == FAIL_KEY:
            raise ValueError("no such market")
        if signal.key == SLOW_KEY:
            await asyncio.sleep(SLOW_SECONDS)


if WATCH := os.environ.get("WATCH"):

    @listener.on_topic(WATCH)
    async def watch(topic, payload):
        record.write(json.dumps({"topic": topic, "payload": payload.decode()}) + "\n")

else:  # a broker may send a message once for each filter that selects it

    @listener.on_prediction("*")
    async def predicted(signal):
        write(signal, "predicted")


@listener.on_alert("*")
async def note(signal):
    write(signal, "note")


async def main() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(listener.run())
        await listener.wait_connected()
        record.write(json.dumps({"listening": os.getpid()}) + "\n")


asyncio.run(main())

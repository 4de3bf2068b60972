"""A bot to be commanded and killed: it writes down what it begins and ends."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from bot_plugin import RemoteCommands, SignalListener

record = Path(sys.argv[1]).open("a", buffering=1)  # noqa: SIM115  for as long as the process lives


class Bot:
    async def start(self, request):
        record.write(json.dumps(["begin", "start"]) + "\n")
        if request.script == "slow.py":
            await asyncio.sleep(60)
        record.write(json.dumps(["end", "start"]) + "\n")
        return "started"

    def stop(self, request):
        record.write(json.dumps(["begin", "stop"]) + "\n")
        return "stopped"


commands = RemoteCommands(Bot(), limit=60)
listener = SignalListener.from_env()
listener.serve(commands)
listener.main()

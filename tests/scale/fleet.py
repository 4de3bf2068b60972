"""Simulated stock bots in one process: heartbeats every 10 s, a log line every second; killed by a line on stdin.

``python -m tests.scale.fleet PORT USER PASSWORD BOTS``. Each connection carries 50 bots: it is the topics that count.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field

import gmqtt

_EACH = 50
_BEAT_EVERY, _LOG_EVERY = 10.0, 1.0


@dataclass
class Fleet:
    """The bots that are alive, and the connections that they share."""

    clients: list[gmqtt.Client]
    bots: list[str]
    dead: set[str] = field(default_factory=set)

    async def live(self, number: int) -> None:
        """One bot's life, from a moment of its own within the first seconds, at a rate that no pause of ours lowers."""
        bot, client, loop = self.bots[number], self.clients[number // _EACH], asyncio.get_running_loop()
        start = loop.time() + number / len(self.bots)
        beats = number % 10
        line = 0
        while True:
            await asyncio.sleep(start + line * _LOG_EVERY - loop.time())
            if bot in self.dead:
                return
            if line % (_BEAT_EVERY / _LOG_EVERY) == beats:
                self._tell(client, bot, "hb", {"ts": time.time_ns() // 1000 + 500_000})
            self._tell(client, bot, "log", _log(line))
            line += 1

    def _tell(self, client: gmqtt.Client, bot: str, channel: str, document: dict[str, object]) -> None:
        client.publish(f"hbot/{bot}/{channel}", json.dumps(document), qos=0)

    async def obey(self) -> None:
        """Kill as many bots as a line of stdin says, and answer with the moment, which all processes count alike."""
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            alive = [bot for bot in self.bots if bot not in self.dead]
            self.dead |= {alive[number * len(alive) // int(line)] for number in range(int(line))}
            print(json.dumps({"at": time.monotonic(), "killed": sorted(self.dead)}), flush=True)


def _log(line: int) -> dict[str, object]:
    text = f"order {line} of the strategy was looked at again, and left as it is: spread 0.{line % 1000:03d}, skew 0.5"
    return {
        "timestamp": time.time(),
        "msg": text,
        "level_no": 20,
        "level_name": "INFO",
        "logger_name": "hummingbot.strategy.pure_market_making",
    }


async def connect(port: int, user: str, password: str, name: str) -> gmqtt.Client:
    client = gmqtt.Client(name)
    client.set_auth_credentials(user, password)
    await client.connect("127.0.0.1", port, version=gmqtt.constants.MQTTv311)
    return client


async def main(port: int, user: str, password: str, count: int) -> None:
    clients = [await connect(port, user, password, f"fleet-{number}") for number in range(-(-count // _EACH))]
    fleet = Fleet(clients, [f"bot-{number:04d}" for number in range(count)])
    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            tasks.create_task(fleet.live(number))
        tasks.create_task(fleet.obey())


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))

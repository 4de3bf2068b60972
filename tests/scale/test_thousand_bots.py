"""A thousand bots that tell of themselves do not slow the webhooks down, and who of them dies is found out in time."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from tests.brokers import require
from tests.e2e.deployment import Deployment
from tests.e2e.test_alert_to_callback import BASES, alert

pytestmark = [pytest.mark.more, pytest.mark.timeout(400)]

BOTS, KILLED = 1000, 100
ALERTS_PER_SECOND, SECONDS = 20, 120
KILL_AFTER = 60.0
"""Seconds of alerts."""

MOST_GROWTH, MOST_LATE_GROWTH = 96 << 20, 8 << 20
"""Bytes of memory: since before the bots came, of which 32 MiB are log lines; and in the last quarter of the time."""

_USER, _PASSWORD = "fleet", "a-password-of-the-fleet"


@dataclass
class Run:
    """What was measured. Seconds are of the monotonic clock, which all processes share."""

    latencies: list[float] = field(default_factory=list)
    killed: set[str] = field(default_factory=set)
    killed_at: float = 0.0
    dead: list[tuple[float, int]] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    def percentile(self, part: float) -> float:
        """Milliseconds of the webhooks."""
        return sorted(self.latencies)[int(part * (len(self.latencies) - 1))] * 1000

    @property
    def told_after(self) -> float:
        """Seconds from the kill until all that were killed were dead."""
        return next((at - self.killed_at for at, dead in self.dead if dead >= KILLED), float("inf"))


@pytest.fixture
def deployment(tmp_path):
    made = Deployment(tmp_path, sources={"tv": {}}, external=True, mosquitto={"log": ("error",)})
    admit(tmp_path / "mosquitto")
    made.start()
    yield made
    made.close()


def admit(folder: Path) -> None:
    """Let one more login publish for all bots: what the gateway wrote into Mosquitto's files stays."""
    passwords, acl = folder / "passwd", folder / "acl"
    extra = folder / "fleet"
    extra.touch(mode=0o600)
    command = [require("mosquitto_passwd", package="mosquitto"), "-b", str(extra), _USER, _PASSWORD]
    subprocess.run(command, check=True, capture_output=True)
    passwords.write_text(extra.read_text() + passwords.read_text())
    acl.write_text(f"user {_USER}\ntopic write hbot/#\n" + acl.read_text())


def memory(pid: int) -> int:
    """Bytes that a process has in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


async def fleet(port: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.scale.fleet", str(port), _USER, _PASSWORD, str(BOTS),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip


async def carry_out(deployment: Deployment) -> Run:
    run = Run(memory=[memory(deployment.gateway_pid)])
    bots = await fleet(deployment.broker_port)
    try:
        while await states(deployment, "alive") < BOTS + 1:
            await asyncio.sleep(0.25)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(post_alerts(deployment, run))
            tasks.create_task(kill(bots, run))
            watching = tasks.create_task(watch(deployment, run))
            await asyncio.sleep(SECONDS)
            watching.cancel()
    finally:
        bots.kill()
        await bots.wait()
    return run


async def states(deployment: Deployment, state: str) -> int:
    return int(await asyncio.to_thread(deployment.metric, "signal_gateway_bots", state=state))


async def post_alerts(deployment: Deployment, run: Run) -> None:
    """Post at a rate that no slow answer lowers."""
    start = time.monotonic()
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        for number in range(ALERTS_PER_SECOND * SECONDS):
            await asyncio.sleep(start + number / ALERTS_PER_SECOND - time.monotonic())
            tasks.create_task(post(session, deployment.webhooks["tv"], alert(BASES[number % 10]), run))


async def post(session: aiohttp.ClientSession, url: str, body: bytes, run: Run) -> None:
    began = time.monotonic()
    async with session.post(url, data=body) as answer:
        assert answer.status == 202, await answer.text()
        await answer.read()
    run.latencies.append(time.monotonic() - began)


async def kill(bots: asyncio.subprocess.Process, run: Run) -> None:
    await asyncio.sleep(KILL_AFTER)
    assert bots.stdin is not None
    assert bots.stdout is not None
    bots.stdin.write(f"{KILLED}\n".encode())
    said = json.loads(await bots.stdout.readline())
    run.killed, run.killed_at = set(said["killed"]), said["at"]


async def watch(deployment: Deployment, run: Run) -> None:
    while True:
        await asyncio.sleep(0.5)
        dead = await states(deployment, "dead")
        run.dead.append((time.monotonic(), dead))
        run.memory.append(memory(deployment.gateway_pid))


def report(run: Run) -> str:
    first, last = run.memory[0], run.memory[-1]
    late = last - run.memory[len(run.memory) * 3 // 4]
    return (
        f"\n{BOTS} bots, {ALERTS_PER_SECOND} alerts/s for {SECONDS} s:"
        f" webhook p50 {run.percentile(0.5):.1f} ms, p99 {run.percentile(0.99):.1f} ms, max {run.percentile(1):.1f} ms;"
        f"\n{len(run.killed)} killed, all told dead after {run.told_after:.1f} s;"
        f" memory {first / 2**20:.0f} MiB before, {last / 2**20:.0f} MiB after,"
        f" {late / 2**20:+.1f} MiB in the last quarter"
    )


def test_100_of_1000_bots_are_told_dead_in_time_while_webhooks_stay_quick_and_memory_bounded(deployment, capsys):
    bot = deployment.start_bot("real")
    run = asyncio.run(carry_out(deployment))
    with capsys.disabled():
        print(report(run))

    listed = {bot["name"]: bot["state"] for bot in deployment.api("bots")["bots"] if bot["name"].startswith("bot-")}
    assert len(run.killed) == KILLED
    assert {name for name, state in listed.items() if state == "dead"} == run.killed
    assert {name for name, state in listed.items() if state == "alive"} == set(listed) - run.killed
    assert max(dead for _, dead in run.dead) == KILLED
    assert run.told_after <= 35
    assert len(run.latencies) == ALERTS_PER_SECOND * SECONDS
    assert run.percentile(0.99) < 100
    assert run.memory[-1] - run.memory[0] < MOST_GROWTH
    assert run.memory[-1] - run.memory[len(run.memory) * 3 // 4] < MOST_LATE_GROWTH
    assert len(bot.handled()) == len(run.latencies)
    assert deployment.metric("signal_gateway_unreadable_messages_total") == 0

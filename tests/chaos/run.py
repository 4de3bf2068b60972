"""One run, from its first process to its verdict."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.accounts import Account, read_account
from tests.chaos.checker import Answer, Verdict, answer, check
from tests.chaos.findings import Finding, Wrong
from tests.chaos.havoc import Havoc
from tests.chaos.memory import Sample, growth, sample
from tests.chaos.offenders import Life, lives_of_offenders
from tests.chaos.outcomes import Outcome, read_outcomes
from tests.chaos.posting import Posting
from tests.chaos.schedule import Fault, ends, schedule
from tests.chaos.settling import caught_up, settle
from tests.chaos.world import World

CALM = 0.2
"""The part of the posting, at its end, in which nothing breaks: memory must be flat while nothing is restarted."""

SHORTEST = 5.0
"""Seconds of posting at least, also where nothing breaks."""

CONVALESCENCE = 15.0
"""Seconds after the last fault until everybody has found their broker again."""

MOST_GROWTH = 20.0
"""MB that a process may grow in the second half of a long life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The sizes of a run.

    Args:
        seed: decides what breaks when.
        signals: alerts to post.
        kills: SIGKILLs of the gateway, of the broker, and of each bot.
        external: a Mosquitto; else the embedded broker.
        settle_within: seconds in which something must be said, as long as something waits after the last answer.
    """

    seed: int
    signals: int
    kills: int
    external: bool
    settle_within: float = 60.0


@dataclass(slots=True, kw_only=True)
class Run:
    """What happened.

    ``settled`` is seconds, None where it never did; ``calm_from`` microseconds since the epoch, None where faults or
    what they held up lasted until the end.
    """

    plan: Plan
    world: World
    faults: tuple[Fault, ...] = ()
    posting: Posting | None = None
    havoc: Havoc | None = None
    memory: list[Sample] = field(default_factory=list)
    settled: float | None = None
    calm_from: int | None = None
    accounts: tuple[Account, ...] = ()
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    verdict: Verdict = field(default_factory=lambda: Verdict((), {}))
    lives: dict[str, Life] = field(default_factory=dict)
    seconds: float = 0.0


async def carry_out(plan: Plan, *, folder: Path, offenders: int = 3) -> Run:
    """Start everything, break it under load, let it settle, and judge it.

    Args:
        plan: the sizes.
        folder: for the data, the bots' records, and everybody's logs.
        offenders: findings of each kind whose signal's whole life is kept.
    """
    began = time.monotonic()
    this = Run(plan=plan, world=World(folder, external=plan.external))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(this.world.close)
        await this.world.start()
        await _break_under_load(this, folder)
        await asyncio.to_thread(_judge, this, folder)
        this.lives = await asyncio.to_thread(lives_of_offenders, this.verdict.findings, this.world, most=offenders)
    this.seconds = time.monotonic() - began
    return this


async def _break_under_load(this: Run, folder: Path) -> None:
    plan, world = this.plan, this.world
    this.faults = schedule(plan.seed, kills=plan.kills, targets=world.targets)
    rate = plan.signals / max(ends(this.faults) / (1 - CALM), SHORTEST)
    answered = folder / "answered.tsv"
    this.posting = Posting(world.deployment.webhooks, answered=answered, total=plan.signals, rate=rate)
    with (folder / "events.jsonl").open("w", buffering=1) as events:
        this.havoc = Havoc(world, events=events)
        watches = this.havoc.watch(), sample(world.memory, into=this.memory), _see_calm(this, waiting=rate)
        async with _beside(*watches):
            await _together(this.posting.run(), this.havoc.wreak(this.faults))
            this.settled = await settle(world, within=plan.settle_within)


@asynccontextmanager
async def _beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run some work until the block ends; an error of it ends the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
        yield
        for task in tasks:
            task.cancel()


async def _see_calm(this: Run, *, waiting: float) -> None:
    assert this.havoc is not None
    await this.havoc.over.wait()
    await asyncio.sleep(CONVALESCENCE)
    await caught_up(this.world, waiting=waiting)
    this.calm_from = time.time_ns() // 1000


async def _together(*work: Coroutine[Any, Any, None]) -> None:
    async with asyncio.TaskGroup() as group:
        for one in work:
            group.create_task(one)


def _judge(this: Run, folder: Path) -> None:
    assert this.havoc is not None
    for bot, record in this.world.records():
        with record.open() as lines:
            this.accounts += (read_account(bot, lines, pauses=this.havoc.pauses[bot]),)
    this.outcomes = dict(read_outcomes(this.world.deployment))
    verdict = check(_answered(this, folder), accounts=this.accounts, outcomes=this.outcomes)
    this.verdict = Verdict((*verdict.findings, *_of_the_whole(this)), verdict.tallies)


def _answered(this: Run, folder: Path) -> dict[str, Answer]:
    calm = this.calm_from or math.inf
    with (folder / "answered.tsv").open() as lines:
        rows = (line.split("\t") for line in lines)
        return {id_: answer(key, calm=int(at) > calm) for id_, _, key, _, at in rows}


def _of_the_whole(this: Run) -> Iterator[Finding]:
    if this.settled is None:
        detail = f"something waits still, and nothing was said for {this.plan.settle_within:g} s"
        yield Finding(wrong=Wrong.UNSETTLED, bot="", id="", detail=detail)
    for name, megabytes in growth(this.memory).items():
        if megabytes > MOST_GROWTH:
            detail = f"{name} grew {megabytes:.1f} MB in the second half of its life"
            yield Finding(wrong=Wrong.GROWN, bot="", id="", detail=detail)

"""What a run says when it is over: figures for everyone, offenders for whoever mends them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.chaos.memory import growth, highest
from tests.chaos.offenders import first_of_each_kind, in_words
from tests.chaos.run import Run

_SHOWN = 3


def figures(run: Run) -> dict[str, Any]:
    """All figures of a run, as JSON. Times are seconds, memory is MB."""
    assert run.posting is not None
    wrong = Counter(str(finding.wrong) for finding in run.verdict.findings)
    return {
        "seed": run.plan.seed,
        "broker": "mosquitto" if run.plan.external else "embedded",
        "signals": run.plan.signals,
        "answered": run.posting.answered,
        "sent again on request": run.posting.again,
        "sent again without an answer": run.posting.unanswered,
        "stored": len(run.outcomes),
        "bots": {bot: dict(tally.ends) for bot, tally in run.verdict.tallies.items()},
        "most interrupted by one kill": {b: tally.most_interrupted for b, tally in run.verdict.tallies.items()},
        "torn lines": {account.bot: account.torn for account in run.accounts},
        "kills": {name: watched.kills for name, watched in run.world.watched.items()},
        "exits": {name: watched.exits for name, watched in run.world.watched.items() if watched.exits},
        "faults": dict(Counter(f"{fault.kind} {fault.target}" for fault in run.faults)),
        "posting seconds": round(run.posting.seconds, 1),
        "settled seconds": None if run.settled is None else round(run.settled, 1),
        "seconds": round(run.seconds, 1),
        "memory": highest(run.memory),
        "memory growth": {name: round(grown, 1) for name, grown in growth(run.memory).items()},
        "wrong": dict(wrong),
    }


def text(run: Run) -> str:
    """The figures, and of each kind of finding the first ones, with the whole life of their signal."""
    return "\n".join([*_summary(figures(run)), *_offenders(run)])


def write(run: Run, path: Path) -> None:
    """Write figures, findings and offenders' lives as JSON."""
    findings = [
        {"wrong": finding.wrong, "bot": finding.bot, "id": finding.id, "detail": finding.detail}
        for finding in run.verdict.findings
    ]
    path.write_text(json.dumps(figures(run) | {"findings": findings, "lives": run.lives}, indent=1) + "\n")


def _summary(document: dict[str, Any]) -> Iterator[str]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield f"{name}:" + ("" if value else " none")
            for part, of_it in value.items():
                yield f"  {part:<28} {of_it}"
        else:
            yield f"{name:<30} {value}"


def _offenders(run: Run) -> Iterator[str]:
    for finding in first_of_each_kind(run.verdict.findings, most=_SHOWN):
        where = " at ".join(filter(None, (finding.id, finding.bot)))
        yield f"\n{finding.wrong}: {where}: {finding.detail}"
        if finding.id in run.lives:
            yield from in_words(run.lives[finding.id])

"""All that is known of the first signals that went wrong."""

from __future__ import annotations

import json
import urllib.error
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from tests.chaos.findings import Finding, Wrong
from tests.chaos.world import World

Life = dict[str, Any]
"""What the API says, under ``gateway``, and the lines of each bot's record, under its name."""


def first_of_each_kind(findings: Iterable[Finding], *, most: int) -> list[Finding]:
    """Up to ``most`` findings of each kind, in their order."""
    seen: Counter[Wrong] = Counter()
    first = []
    for finding in findings:
        seen[finding.wrong] += 1
        if seen[finding.wrong] <= most:
            first.append(finding)
    return first


def lives_of_offenders(findings: Iterable[Finding], world: World, *, most: int) -> dict[str, Life]:
    """Ask the gateway and search the records."""
    ids = {finding.id for finding in first_of_each_kind(findings, most=most) if finding.id}
    lives: dict[str, Life] = {id_: {"gateway": _ask(world, id_)} for id_ in sorted(ids)}
    for bot, record in world.records():
        with record.open() as lines:
            for entry in _about(ids, lines):
                lives[entry.get("start") or entry["end"]].setdefault(bot, []).append(entry)
    return lives


def in_words(life: Life) -> Iterator[str]:
    """A life, a line for each step."""
    told = life["gateway"]
    if told is None:
        yield "  the gateway does not know it"
    else:
        yield f"  {told['accepted_at']} accepted for {told['source']}/{told['instrument']}, until {told['expires_at']}"
        for one in told["deliveries"]:
            yield f"  {one['at']} {one['destination']} {one['station']}, tried {one['attempts']} times; {one['reason']}"
        for one in told["receipts"]:
            yield f"  {one['at']} {one['bot']} says {one['stage']} {one.get('reason', '')}"
    for bot, entries in life.items():
        if bot != "gateway":
            yield from (f"  {bot} wrote down {json.dumps(entry)}" for entry in entries)


def _ask(world: World, id_: str) -> Any:
    try:
        return world.deployment.api(f"signals/{id_}")
    except urllib.error.HTTPError:
        return None


def _about(ids: set[str], lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.split('"', 4)[3:4] and line.split('"', 4)[3] in ids:
            yield json.loads(line)

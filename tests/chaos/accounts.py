"""What a bot's own record says: every handler that began and ended, over all processes that had the bot's name."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.findings import Finding, Wrong

TOLERANCE = 500_000
"""Microseconds from the plugin's look at the clock to the handler's first line, on a machine that does much else."""


@dataclass(slots=True)
class Account:
    """What one bot did.

    Args:
        lives: processes that began.
        began: the life in which each signal's handler began, and its key.
        ended: the signals whose handler ended.
        torn: lines that a kill cut off.
        findings: what its record alone shows to be wrong.
    """

    bot: str
    lives: int = 0
    began: dict[str, tuple[int, str]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    torn: int = 0
    findings: list[Finding] = field(default_factory=list)


def read_account(bot: str, lines: Iterable[str], *, pauses: Iterable[tuple[int, int]] = ()) -> Account:
    """Read a record once, in its order.

    Args:
        bot: whose record it is.
        lines: see ``recording_bot``.
        pauses: when its process was stopped, from and to, in microseconds since the epoch: a handler that was about to
            be called then is not late for it.
    """
    account = Account(bot)
    pauses = tuple(pauses)
    newest: dict[str, int] = {}
    for entry in _entries(lines, account):
        match entry:
            case {"start": id_, "key": key, "sequence": sequence}:
                _order(account, entry, newest=newest)
                if entry["at"] - _stopped(entry, pauses) > entry["expires"] + TOLERANCE:
                    late = (entry["at"] - entry["expires"]) / 1e6
                    account.findings.append(_finding(Wrong.LATE, bot, id_, f"began {late:.3f} s after its expiry"))
                account.began.setdefault(id_, (account.lives, sys.intern(key)))
                newest[key] = max(sequence, newest.get(key, 0))
            case {"end": id_}:
                account.ended.add(id_)
            case {"began": _}:
                account.lives += 1
    return account


def _entries(lines: Iterable[str], account: Account) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            account.torn += bool(line.strip())


def _order(account: Account, entry: dict[str, Any], *, newest: dict[str, int]) -> None:
    id_, key, sequence = entry["start"], entry["key"], entry["sequence"]
    if id_ in account.began:
        before, _ = account.began[id_]
        detail = f"began in process {before} and again in process {account.lives}"
        account.findings.append(_finding(Wrong.TWICE, account.bot, id_, detail))
    elif sequence <= newest.get(key, 0):
        detail = f"{sequence} of {key} began after {newest[key]}"
        account.findings.append(_finding(Wrong.REORDERED, account.bot, id_, detail))


def _stopped(entry: dict[str, Any], pauses: tuple[tuple[int, int], ...]) -> int:
    """Microseconds that the process was stopped between a signal's expiry and the begin of its handler."""
    overlaps = (min(entry["at"], until) - max(entry["expires"], since) for since, until in pauses)
    return sum(overlap for overlap in overlaps if overlap > 0)


def _finding(wrong: Wrong, bot: str, id_: str, detail: str) -> Finding:
    return Finding(wrong=wrong, bot=bot, id=id_, detail=detail)

"""What the doctor says: one verdict for each thing that was looked at, and what all of them come to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Grade(IntEnum):
    """What a verdict means, by how much money it can lose."""

    MONEY = 0
    """Somebody else, or old news, can make a bot trade."""
    SIGNALS = 1
    """A signal can be lost, late or refused."""
    TROUBLE = 2
    """What goes wrong would not be noticed, or is worse than it must be."""
    UNSEEN = 3
    """It was not examined, and may be right or wrong."""
    LIMIT = 4
    """This kind of broker is so; another one is not."""
    SOUND = 5

    @property
    def word(self) -> str:
        """The word before a line."""
        return _WORDS[self]

    @property
    def wrong(self) -> bool:
        """Whether it is to be mended."""
        return self <= Grade.TROUBLE


_WORDS = {
    Grade.MONEY: "MONEY",
    Grade.SIGNALS: "SIGNALS",
    Grade.TROUBLE: "TROUBLE",
    Grade.UNSEEN: "not examined",
    Grade.LIMIT: "limit",
    Grade.SOUND: "ok",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing that was looked at.

    Args:
        grade: what it means.
        code: its stable name, for programs.
        says: what was seen, in one sentence.
        cure: what to do, and where; empty where there is nothing to do.
    """

    grade: Grade
    code: str
    says: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All verdicts.

    Args:
        verdicts: the gravest first.
        away: why the broker could not be examined, or not to the end; empty where it could.
    """

    verdicts: tuple[Verdict, ...]
    away: str = ""

    @property
    def findings(self) -> tuple[Verdict, ...]:
        """What is to be mended."""
        return tuple(verdict for verdict in self.verdicts if verdict.grade.wrong)


def report(verdicts: Iterable[Verdict], *, away: str = "") -> Report:
    """Order verdicts; those of one grade stay as they came."""
    return Report(tuple(sorted(verdicts, key=lambda verdict: verdict.grade)), away)


def sound(code: str, says: str) -> Verdict:
    """It is as it should be."""
    return Verdict(Grade.SOUND, code, says)


def unseen(code: str, says: str, cure: str = "") -> Verdict:
    """It could not be looked at, and why."""
    return Verdict(Grade.UNSEEN, code, says, cure)

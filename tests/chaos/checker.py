"""Holds the bots' records and the gateway's account of every signal against each other and against the promise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from tests.chaos.accounts import Account
from tests.chaos.findings import Finding, Wrong
from tests.chaos.outcomes import UNFINISHED, Outcome, Said

HANDLED, INTERRUPTED = "handled", "interrupted"
_ENDS_OF_TIME = frozenset({"expired", "unheard", "unanswered"})


class Answer(NamedTuple):
    """What a signal that was answered 2xx is known by: its partition key, and whether nothing broke any more then."""

    key: str
    calm: bool


@lru_cache
def answer(key: str, *, calm: bool) -> Answer:
    """Few answers differ: a million signals share them."""
    return Answer(key, calm)


@dataclass(slots=True)
class Tally:
    """What became of the answered signals at one bot, and the most that a single kill of it interrupted."""

    ends: Counter[str] = field(default_factory=Counter)
    most_interrupted: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that was found, and the figures by bot."""

    findings: tuple[Finding, ...]
    tallies: Mapping[str, Tally]


def check(answered: Mapping[str, Answer], *, accounts: Iterable[Account], outcomes: Mapping[str, Outcome]) -> Verdict:
    """Judge a run that has settled.

    Args:
        answered: the ids that were answered 2xx. Others may have been stored too: they need not be handled, but what a
            bot does with them is held to the rest.
        accounts: each expected bot's.
        outcomes: each signal of the journal.
    """
    findings = [*_unfinished(outcomes)]
    tallies = {}
    for account in accounts:
        judged = _Judgement(account, outcomes=outcomes)
        for id_, known in answered.items():
            judged.answered(id_, known)
        for id_ in account.began.keys() - answered.keys():
            judged.unanswered(id_)
        findings += [*account.findings, *judged.findings, *judged.interrupted_too_often()]
        tallies[account.bot] = judged.tally
    return Verdict(tuple(findings), tallies)


def _unfinished(outcomes: Mapping[str, Outcome]) -> Iterator[Finding]:
    for id_, outcome in outcomes.items():
        if outcome.station.word in UNFINISHED:
            detail = f"the gateway still says {outcome.station.word}"
            yield Finding(wrong=Wrong.UNFINISHED, bot="", id=id_, detail=detail)
        for bot in outcome.awaited:
            detail = f"{outcome.station.word}, and the gateway still awaits its receipt"
            yield Finding(wrong=Wrong.UNFINISHED, bot=bot, id=id_, detail=detail)


class _Judgement:
    """One bot's part. A signal's end is what the bot's record and the gateway both say, or it is a finding."""

    def __init__(self, account: Account, *, outcomes: Mapping[str, Outcome]) -> None:
        self._account = account
        self._outcomes = outcomes
        self._interrupted: Counter[str] = Counter()
        self._interrupted_by_life: Counter[tuple[int, str]] = Counter()
        self.tally = Tally()
        self.findings: list[Finding] = []

    def answered(self, id_: str, known: Answer) -> None:
        """A signal that this bot must have handled, or whose other end must be allowed and shown."""
        outcome = self._outcomes.get(id_)
        if outcome is None:
            self._wrong(Wrong.LOST, id_, "the gateway answered 2xx and does not know it")
        elif id_ in self._account.began:
            self._began(id_, outcome.at(self._account.bot), key=known.key)
        else:
            self._never_began(id_, outcome, known)

    def unanswered(self, id_: str) -> None:
        """A signal that was handled though nobody was told that it was stored."""
        self.tally.ends["not answered, yet handled"] += 1
        if id_ not in self._outcomes:
            self._wrong(Wrong.UNEXPLAINED, id_, "handled, and the gateway does not know it")

    def interrupted_too_often(self) -> Iterator[Finding]:
        """A key runs one handler at a time, so that a kill interrupts one signal of each key at most."""
        kills = max(0, self._account.lives - 1)
        for (life, key), count in self._interrupted_by_life.items():
            if count > 1:
                yield self._too_often(f"{count} of {key} by the kill of process {life}")
        for key, count in self._interrupted.items():
            if count > kills:
                yield self._too_often(f"{count} of {key} by {kills} kills")
        lives = Counter(life for life, _ in self._interrupted_by_life.elements())
        self.tally.most_interrupted = max(lives.values(), default=0)

    def _too_often(self, detail: str) -> Finding:
        return Finding(wrong=Wrong.INTERRUPTED, bot=self._account.bot, id="", detail=detail)

    def _began(self, id_: str, said: Said | None, *, key: str) -> None:
        life, seen_as = self._account.began[id_]
        ended = id_ in self._account.ended
        if seen_as != key:
            self._wrong(Wrong.UNEXPLAINED, id_, f"posted for {key}, and handled as {seen_as}")
        match said:
            case Said(word="handled") if ended:
                self.tally.ends[HANDLED] += 1
            case Said(word="interrupted") if life < self._account.lives:
                self.tally.ends[INTERRUPTED] += 1
                self._interrupted[key] += 1
                self._interrupted_by_life[life, key] += 1
            case Said(word="interrupted"):
                self._wrong(Wrong.INTERRUPTED, id_, "interrupted, and its process was not killed")
            case None | Said(word="received" | "started"):
                what = "handled" if ended else "cut off by a kill"
                self._wrong(Wrong.UNREPORTED, id_, f"{what}, and the gateway shows {_words(said)}")
            case Said(word=word):
                what = "its handler ended" if ended else "its handler began and did not end"
                self._wrong(Wrong.UNEXPLAINED, id_, f"{what}, and the gateway says {word}")

    def _never_began(self, id_: str, outcome: Outcome, known: Answer) -> None:
        said = outcome.at(self._account.bot)
        station = outcome.station
        match said:
            case Said(word="interrupted"):
                self.tally.ends[INTERRUPTED] += 1
                self._interrupted[known.key] += 1
            case Said(word="expired" | "out_of_order" as word, early=False):
                self._ran_out_of_time(id_, word, known)
            case None if station.word in _ENDS_OF_TIME and not station.early:
                self._ran_out_of_time(id_, station.word, known)
            case None | Said(word="received" | "started"):
                self._wrong(Wrong.LOST, id_, f"never began; {station.word}, and the bot says {_words(said)}")
            case Said(word=word, early=early):
                self._wrong(Wrong.UNEXPLAINED, id_, f"never began; the bot says {word}{' early' * early}")

    def _ran_out_of_time(self, id_: str, word: str, known: Answer) -> None:
        if known.calm:
            self._wrong(Wrong.UNEXPLAINED, id_, f"{word}, though nothing was broken any more")
        else:
            self.tally.ends[word] += 1

    def _wrong(self, wrong: Wrong, id_: str, detail: str) -> None:
        self.tally.ends[str(wrong)] += 1
        self.findings.append(Finding(wrong=wrong, bot=self._account.bot, id=id_, detail=detail))


def _words(said: Said | None) -> str:
    return "nothing" if said is None else f"no more than {said.word}"

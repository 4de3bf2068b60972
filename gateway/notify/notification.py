"""A notification: one title and a few lines, short enough for every service, without secrets and control characters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.notify.problems import Kind, Problem
from gateway.notify.titles import ORDER, counted, counted_over, single
from gateway.notify.wording import Wording
from gateway.telemetry.logs import redacted
from schemas.fields import micros_text
from schemas.secrets import redact_text

PREFIX = "signal-gateway"

LONGEST = 1000
"""Characters of a body: of the services that people use, the strictest takes 1,024."""

_LONGEST_TITLE = 150
_LAST_LINE = 200
_TEXT = 300
_BOTS_TEXT = 700
_SIGNAL = 64
_MOST_LINES = 10
_SUMMONS = re.compile(r"(@|<!)(everyone|here|channel)\b")
"""What wakes up everybody in a chat; the gateway decides who is told, and no bot or alert."""

_FAILURES = frozenset(
    {Kind.REDUCE_EXPIRED, Kind.JOURNAL_UNWRITABLE, Kind.BROKER_AWAY, Kind.BOT_DEAD, Kind.INTERRUPTED, Kind.FAILED}
)


class Level(StrEnum):
    """How bad it is, as apprise names it."""

    FAILURE = "failure"
    WARNING = "warning"
    SUCCESS = "success"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a notification says of one kind with one subject.

    Args:
        problem: the latest.
        count: how often it happened since it was told last; 0 where it only goes on, or is over.
        since: when the first of these was, microseconds since the epoch.
        ended: its end, where it is over.
        again: whether it was told before, so that the count is of what came since.
        still: whether it goes on, and was told before.
        wordings: what was said in different words, the first of them; one for all of them unless given.
    """

    problem: Problem
    count: int = 1
    since: int = 0
    ended: Problem | None = None
    again: bool = False
    still: bool = False
    wordings: tuple[Wording, ...] = ()

    @property
    def said(self) -> tuple[Wording, ...]:
        """What is told of what happened; nothing where it only goes on, or is over."""
        one = Wording(problem=self.problem, count=self.count, since=self.since, again=self.again)
        return (self.wordings or (one,)) if self.count else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What is sent."""

    title: str
    body: str
    level: Level


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a body, where it belongs, and how much of what happened it tells."""

    place: tuple[int, int, int]
    kind: Kind
    count: int
    text: str


def compose(entries: Sequence[Entry], left_out: Mapping[Kind, int]) -> Notification:
    """Write a notification, the worst first; what does not fit is counted by its kinds, as ``left_out`` is."""
    ordered = sorted(entries, key=lambda entry: (ORDER[entry.problem.kind], entry.problem.at))
    lines = sorted((line for entry in ordered for line in _lines(entry)), key=lambda line: line.place)
    fitting = list(_fitting(lines[:_MOST_LINES]))
    more = Counter(left_out)
    for entry in ordered:
        more[entry.problem.kind] += entry.count - sum(one.count for one in entry.said)
    for line in lines[len(fitting) :]:
        more[line.kind] += line.count
    more = +more
    texts = [line.text for line in fitting]
    if more:
        texts.append(f"and {more.total()} more: {', '.join(counted(more))}")
    return Notification(title=_title(ordered, left_out), body="\n".join(texts), level=_level(ordered, left_out))


def clean(text: str, *, most: int = _TEXT) -> str:
    """A text of a stranger's as a person may be shown it: no secrets, no controls, at most so many characters."""
    text = _SUMMONS.sub(r"\1 \2", redacted(redact_text(text[: 4 * most])))
    shown = "".join(one if one == "\n" or one.isprintable() else " " for one in text).strip()
    return _cut(shown, most)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _in_line(text: str, *, most: int = _TEXT) -> str:
    return clean(text, most=most).replace("\n", " ")


def _fitting(lines: Iterable[_Line]) -> Iterator[_Line]:
    room = LONGEST - _LAST_LINE
    for line in lines:
        room -= len(line.text) + 1
        if room < 0:
            return
        yield line


def _lines(entry: Entry) -> Iterator[_Line]:
    """A line for each wording: those of one kind come in turns, so that one subject leaves room for the others."""
    kind, over = entry.problem.kind, ""
    if entry.ended is not None:
        over = f"over: {_time(entry.ended.at)} {_in_line(entry.ended.text)}"
    for turn, one in enumerate(entry.said):
        if kind is Kind.BOT_NOTIFIED:
            yield _Line((ORDER[kind], 0, one.problem.at), kind, one.count, _bots_words(one))
        else:
            happened = f"{_time(one.problem.at)} {_in_line(one.problem.text)}{_signal(one.problem)}{_times(one)}"
            text = f"{happened}; {over}" if over else happened
            yield _Line((ORDER[kind], turn, one.problem.at), kind, 1 if kind.lasts else one.count, text)
    if not entry.count:
        still = [f"still: {_in_line(entry.problem.text)}"] if entry.still else []
        text = "; ".join([*still, over] if over else still)
        yield _Line((ORDER[kind], 0, entry.problem.at), kind, 1, text)


def _bots_words(one: Wording) -> str:
    """Each line with the bot's name, so that none looks like another bot's, or the gateway's own."""
    words = clean(one.problem.text, most=_BOTS_TEXT)
    lines = [line for line in words.split("\n") if line.strip()] or ["(no words)"]
    named = "\n".join(f"{_in_line(one.problem.subject)}: {line}" for line in lines)
    return _cut(named, _BOTS_TEXT) + _times(one)


def _signal(problem: Problem) -> str:
    return f", signal {_in_line(problem.signal, most=_SIGNAL)}" if problem.signal else ""


def _times(one: Wording) -> str:
    if one.count == 1 and not one.again:
        return ""
    times = "once" if one.count == 1 else f"{one.count} times"
    return f" ({times}{' more' if one.again else ''} since {_time(one.since)})"


def _time(micros: int) -> str:
    return micros_text(micros)[11:19]


def _title(ordered: Sequence[Entry], left_out: Mapping[Kind, int]) -> str:
    if len(ordered) == 1 and not left_out:
        entry = ordered[0]
        kind, over = entry.problem.kind, entry.ended is not None
        title = single(kind, entry.problem.subject, count=entry.count, over=over)
    else:
        title = ", ".join(_title_parts(ordered, left_out))
    return f"{PREFIX}: {_in_line(title, most=_LONGEST_TITLE)}"


def _title_parts(ordered: Sequence[Entry], left_out: Mapping[Kind, int]) -> Iterator[str]:
    """The numbers by kind: of what happens, how often it did; of what lasts, with whom it does."""
    counts, over = Counter(left_out), Counter[Kind]()
    for entry in ordered:
        kind = entry.problem.kind
        if entry.ended is not None:
            over[kind] += 1
        else:
            counts[kind] += 1 if kind.lasts else entry.count
    yield from counted(+counts)
    yield from counted_over(over)


def _level(ordered: Sequence[Entry], left_out: Mapping[Kind, int]) -> Level:
    kinds = {entry.problem.kind for entry in ordered if entry.ended is None} | set(left_out)
    if not kinds:
        return Level.SUCCESS
    if kinds == {Kind.BOT_NOTIFIED}:
        return Level.INFO
    return Level.FAILURE if kinds & _FAILURES else Level.WARNING

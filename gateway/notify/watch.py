"""The listener that makes problems of facts: the parts report what happens, and here it is known what is bad news."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from gateway.notify.problems import Kind, Problem
from gateway.telemetry.facts import Refusal, Signal, Unanswered, Unhandled
from gateway.telemetry.null import NullTelemetry
from schemas.fields import micros_text
from schemas.receipt import Stage

_LONGEST = 2000
"""Characters of a text that are kept; a notification shows fewer."""

_REDUCE = "reduce"
_WHAT = {_REDUCE: "an exit", "open": "an entry"}
_BY_STATION = {"denied": Kind.DENIED, "dead": Kind.DEAD}
_BY_STAGE = {Stage.FAILED: Kind.FAILED, Stage.INTERRUPTED: Kind.INTERRUPTED, Stage.REFUSED: Kind.REFUSED}
_DID = {
    Stage.FAILED: "failed on",
    Stage.INTERRUPTED: "was interrupted, and does not run again, on",
    Stage.REFUSED: "refused",
}


class Watch(NullTelemetry):
    """Tells of the facts that somebody should know.

    Args:
        tell: gets each problem, and its end.
        clock: microseconds since the epoch.
        timer: seconds that never go back.
        broker_away_after: seconds without the broker that are a problem.
    """

    def __init__(
        self,
        tell: Callable[[Problem], None],
        *,
        clock: Callable[[], int],
        timer: Callable[[], float] = time.monotonic,
        broker_away_after: float = 60.0,
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._timer = timer
        self._away_after = broker_away_after
        self._away_since: float | None = timer()
        self._away = False
        self._trouble: Callable[[], str | None] = lambda: None
        self._unwritable = False

    def refused(self, refusal: Refusal) -> None:
        faults = "; ".join(f"{fault.where}: {fault.problem}".removeprefix(": ") for fault in refusal.faults[:3])
        self._say(
            Kind.REFUSED,
            f"source {refusal.source}",
            f"what {refusal.source} sent was refused as {refusal.code}: {faults}",
            source=refusal.source,
        )

    def undelivered(self, signal: Signal, *, station: str, reason: str) -> None:
        kind = _BY_STATION.get(station)
        if kind is None and signal.effect == _REDUCE:
            self._reduce_expired(signal, f"ended as {station}: {reason}")
        elif kind is not None:
            text = f"{_named(signal)} ended as {station}: {reason}"
            self._say(kind, _subject(f"source {signal.source}", signal), text, source=signal.source, signal=signal.id)

    def unanswered(self, signal: Unanswered) -> None:
        bots = tuple(signal.bots)
        if signal.effect == _REDUCE and not signal.handled:
            self._reduce_expired(signal, f"was not answered by {', '.join(bots)}", bots=bots)
            return
        for bot in bots:
            text = f"bot {bot} sent no receipt for {_named(signal)} until it expired"
            self._say(Kind.UNANSWERED, f"bot {bot}", text, source=signal.source, bots=(bot,), signal=signal.id)

    def unhandled(self, signal: Unhandled) -> None:
        receipt = signal.receipt
        because = f": {receipt.reason}" if receipt.reason else ""
        kind = _BY_STAGE.get(receipt.stage)
        if kind is not None:
            who = f"handler {receipt.handler} of bot {receipt.bot}" if receipt.handler else f"bot {receipt.bot}"
            text = f"{who} {_DID[receipt.stage]} {_named(signal)}{because}"
            subject, bots = _subject(f"bot {receipt.bot}", signal), (receipt.bot,)
            self._say(kind, subject, text, source=signal.source, bots=bots, signal=signal.id)
        elif signal.effect == _REDUCE:
            self._reduce_expired(signal, f"expired at bot {receipt.bot}{because}", bots=(receipt.bot,))

    def bot_dead(self, *, bot: str, last_seen: int) -> None:
        seen = f"its last sign of life was at {micros_text(last_seen)[:19]}Z"
        text = f"bot {bot} is dead: {seen}; look at its process (signal-gateway bots show {bot})"
        self._say(Kind.BOT_DEAD, f"bot {bot}", text, bots=(bot,))

    def bot_left(self, *, bot: str) -> None:
        self._say(Kind.BOT_DEAD, f"bot {bot}", f"bot {bot} said goodbye", bots=(bot,), over=True)

    def bot_back(self, *, bot: str) -> None:
        self._say(Kind.BOT_DEAD, f"bot {bot}", f"bot {bot} is back", bots=(bot,), over=True)

    def bot_forgotten(self, *, bot: str) -> None:
        text = f"bot {bot} is expected no more"
        self._say(Kind.BOT_DEAD, f"bot {bot}", text, bots=(bot,), over=True, moot=True)

    def bot_notified(self, *, bot: str, text: str) -> None:
        self._say(Kind.BOT_NOTIFIED, f"bot {bot}", text, bots=(bot,))

    def source_silent(self, *, source: str, seconds: float) -> None:
        text = f"no signal of source {source} was accepted for {lasted(seconds)}"
        self._say(Kind.SOURCE_SILENT, f"source {source}", text, source=source)

    def source_heard(self, *, source: str, seconds: float) -> None:
        text = f"source {source} is heard again, after {lasted(seconds)}"
        self._say(Kind.SOURCE_SILENT, f"source {source}", text, source=source, over=True)

    def retained_found(self, *, topic: str, problem: str) -> None:
        became = f"and is still there: {problem}" if problem else "and was cleared"
        text = f"somebody retained a message on {topic}: bots that connect act on it, however old it is; it was found"
        self._say(Kind.RETAINED_FOUND, f"topic {topic}", f"{text}, {became}")

    def broker_connected(self, *, connected: bool) -> None:
        if not connected:
            self._away_since = self._timer()
            return
        if self._away and self._away_since is not None:
            away = lasted(self._timer() - self._away_since)
            self._say(Kind.BROKER_AWAY, "broker", f"the broker is back, after {away}", over=True)
        self._away_since, self._away = None, False

    def watch_journal(self, trouble: Callable[[], str | None]) -> None:
        self._trouble = trouble

    def look(self) -> None:
        """See what became true by time alone; to be called again and again."""
        self._look_at_broker()
        self._look_at_journal()

    def _look_at_broker(self) -> None:
        if self._away or self._away_since is None:
            return
        away = self._timer() - self._away_since
        if away >= self._away_after:
            self._away = True
            text = f"the broker is away for {lasted(away)}: signals wait, and expire"
            self._say(Kind.BROKER_AWAY, "broker", text)

    def _look_at_journal(self) -> None:
        trouble = self._trouble()
        if trouble is not None and not self._unwritable:
            self._say(Kind.JOURNAL_UNWRITABLE, "journal", f"no signal can be stored: {trouble}")
        elif trouble is None and self._unwritable:
            self._say(Kind.JOURNAL_UNWRITABLE, "journal", "signals can be stored again", over=True)
        self._unwritable = trouble is not None

    def _reduce_expired(self, signal: Signal, what: str, *, bots: tuple[str, ...] = ()) -> None:
        subject, text = f"{signal.source}/{signal.instrument}", f"{_named(signal)} {what}"
        self._say(Kind.REDUCE_EXPIRED, subject, text, source=signal.source, bots=bots, signal=signal.id)

    def _say(
        self,
        kind: Kind,
        subject: str,
        text: str,
        *,
        source: str | None = None,
        bots: tuple[str, ...] = (),
        signal: str = "",
        over: bool = False,
        moot: bool = False,
    ) -> None:
        self._tell(
            Problem(
                kind=kind,
                subject=subject,
                text=text[:_LONGEST],
                at=self._clock(),
                over=over,
                moot=moot,
                source=source,
                bots=bots,
                signal=signal,
            )
        )


def _subject(who: str, signal: Signal) -> str:
    """What a signal's problem is about: an exit's is one by itself, and no more of the same that may wait."""
    return f"{who}, {signal.instrument}" if signal.effect == _REDUCE else who


def _named(signal: Signal) -> str:
    return f"{_WHAT.get(signal.effect, 'a signal')} of {signal.source} for {signal.instrument}"


def lasted(seconds: float) -> str:
    """A time span as a person reads it: its two largest units."""
    return " ".join(list(_units(max(0, int(seconds))))[:2]) or "0 s"


def _units(seconds: int) -> Iterator[str]:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, seconds = divmod(seconds, size)
        if count:
            yield f"{count} {unit}"

"""The listener to all facts: it counts them, times them and writes a line for those that a person looks for."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Container, Iterable, Mapping
from typing import Any

import structlog

from gateway.telemetry.facts import Accepted, Backlog, Life, Refusal, Room, Signal, Unanswered, Unhandled
from gateway.telemetry.labels import (
    AUDITED,
    BODIES,
    CHANNELS,
    CODES,
    COMMANDED,
    COMMANDS,
    LISTENERS,
    METHODS,
    ML_SIGNALS,
    NOT_STORED,
    NOTIFIED,
    OTHER,
    PROBLEMS,
    ROUTES,
    STATIONS,
    UNAUTHORISED,
    one_of,
)
from gateway.telemetry.metrics import (
    CertificateCollector,
    ClockCollector,
    LivesCollector,
    Metrics,
    OutboxCollector,
    RoomCollector,
)
from schemas.fields import micros_text, to_micros
from schemas.receipt import Receipt, Stage

_REMEMBERED = 8192
"""Signals whose first callback is still awaited; of older ones the latency is not known."""

_LINES_PER_SECOND = 10
"""Lines of one event that a stranger, or many signals at once, can bring about; the counters have them all."""

_LONGEST = 500
"""Characters of a bot's own words in a line."""

_SET_CLOCKS = "let NTP set the clocks of both machines; until then this bot may refuse signals or let them expire"


class Recorder:
    """Telemetry into Prometheus and structlog.

    Args:
        sources: the configured sources; any other name is counted as OTHER.
        version: the gateway's version.
        now: microseconds since the epoch.
        log: a structlog logger; None for the one that is configured now.
    """

    def __init__(self, *, sources: Iterable[str], version: str, now: Callable[[], int], log: Any = None) -> None:
        self._sources = frozenset(sources)
        self._metrics = Metrics(sources=self._sources, version=version)
        self._now = now
        self._log = structlog.get_logger().bind() if log is None else log
        self._awaited: OrderedDict[str, tuple[str, int | None]] = OrderedDict()
        self._connected_before = False
        self._second = 0
        self._lines: Counter[str] = Counter()
        self.exposition = self._metrics.exposition

    def received(self, *, source: str) -> None:
        self._metrics.received[self._source(source),].inc()

    def unauthorised(self, *, cause: str, source: str = "") -> None:
        self._metrics.unauthorised[one_of(cause, UNAUTHORISED),].inc()
        known = {"source": source} if source in self._sources else {}
        self._warn_some("unauthorised", cause=cause, **known)

    def turned_away(self, *, code: str, problem: str) -> None:
        self._metrics.refused[OTHER, one_of(code, CODES)].inc()
        self._warn_some("turned_away", code=code, problem=problem)

    def refused(self, refusal: Refusal) -> None:
        source = self._source(refusal.source)
        self._metrics.refused[source, one_of(refusal.code, CODES)].inc()
        problems = [f"{fault.where}: {fault.problem}" for fault in refusal.faults]
        self._log.warning(
            "refused", id=refusal.id, source=source, code=refusal.code, problems=problems, size=refusal.size
        )

    def not_stored(self, *, cause: str) -> None:
        self._metrics.not_stored[one_of(cause, NOT_STORED),].inc()
        self._warn_some("not_stored", cause=cause)

    def accepted(self, accepted: Accepted) -> None:
        draft = accepted.draft
        source = self._source(draft.source)
        self._metrics.accepted[source, one_of(draft.body, BODIES)].inc()
        self._metrics.last_accepted[source,].set(draft.accepted_at / 1e6)
        self._await_callback(draft.id, source, draft.accepted_at)
        self._log.info(
            "accepted",
            id=draft.id,
            source=source,
            body=draft.body,
            mode=draft.mode,
            instrument=draft.instrument,
            effect=draft.effect,
            sequence=accepted.sequence,
            possible_duplicate_of=accepted.possible_duplicate_of,
        )

    def duplicate(self, *, source: str, id_: str) -> None:
        source = self._source(source)
        self._metrics.duplicates[source,].inc()
        self._log.info("duplicate", id=id_, source=source)

    def published(self, *, source: str, body: str, seconds: float) -> None:
        source = self._source(source)
        self._metrics.published[source, one_of(body, BODIES)].inc()
        self._metrics.to_broker[source,].observe(seconds)

    def outcome(self, *, station: str, source: str) -> None:
        self._metrics.outcomes[one_of(station, STATIONS), self._source(source)].inc()

    def undelivered(self, signal: Signal, *, station: str, reason: str) -> None:
        self.outcome(station=station, source=signal.source)
        self._bad("undelivered", signal, station=station, reason=reason)

    def redelivered(self, *, source: str) -> None:
        self._metrics.redelivered[self._source(source),].inc()

    def unanswered(self, signal: Unanswered) -> None:
        self.outcome(station="unanswered", source=signal.source)
        self._bad("unanswered", signal, bots=list(signal.bots), handled=signal.handled)

    def receipt(self, receipt: Receipt) -> None:
        source, accepted_at = self._awaited.get(receipt.signal, (OTHER, None))
        self._metrics.receipts[receipt.stage.value, source].inc()
        started = receipt.started_at or (receipt.at if receipt.stage is Stage.STARTED else None)
        if accepted_at is None or started is None:
            return
        self._awaited[receipt.signal] = (source, None)
        self._metrics.to_callback[source,].observe(max(0.0, (to_micros(started) - accepted_at) / 1e6))

    def unhandled(self, signal: Unhandled) -> None:
        of = signal.receipt
        self._bad("unhandled", signal, bot=of.bot, handler=of.handler, stage=of.stage.value, reason=of.reason)

    def receipts_left_out(self, *, unknown: int, surplus: int) -> None:
        self._metrics.unknown_receipts[()].inc(unknown)
        self._metrics.surplus_receipts[()].inc(surplus)

    def unreadable_receipt(self, *, topic: str, problem: str) -> None:
        self._unreadable("receipt", topic=topic, problem=problem)

    def unreadable_card(self, *, topic: str, problem: str) -> None:
        self._unreadable("card", topic=topic, problem=problem)

    def unreadable_telemetry(self, *, topic: str, problem: str) -> None:
        self._unreadable("telemetry", topic=topic[:_LONGEST], problem=problem)

    def bot_message(self, *, channel: str) -> None:
        self._metrics.bot_messages[one_of(channel, CHANNELS),].inc()

    def bot_clock(self, *, bot: str, problem: str | None) -> None:
        if problem is None:
            self._log.info("bot_clock_right", bot=bot)
        else:
            self._warn_some("bot_clock_off", bot=bot, problem=f"its {problem}", remedy=_SET_CLOCKS)

    def commanded(self, *, bot: str, command: str, who: str, id_: str, outcome: str, seconds: float) -> None:
        named = one_of(command.partition("command/")[0] or "command", COMMANDS)
        self._metrics.commands[named, one_of(outcome, COMMANDED)].inc()
        took = round(seconds, 3)
        self._log.info("command", bot=bot, command=command, who=who, id=id_, outcome=outcome, seconds=took)

    def stray_reply(self, *, topic: str) -> None:
        self._metrics.stray_replies[()].inc()
        self._warn_some("stray_reply", topic=topic[:200])

    def bot_dead(self, *, bot: str, last_seen: int) -> None:
        self._warn_some("bot_dead", bot=bot, last_seen=micros_text(last_seen))

    def bot_left(self, *, bot: str) -> None:
        self._log.info("bot_left", bot=bot)

    def bot_back(self, *, bot: str) -> None:
        self._log.info("bot_back", bot=bot)

    def bot_forgotten(self, *, bot: str) -> None:
        self._log.info("bot_forgotten", bot=bot)

    def bot_notified(self, *, bot: str, text: str) -> None:
        self._say_some(self._log.info, "bot_notified", bot=bot, text=text[:_LONGEST])

    def source_silent(self, *, source: str, seconds: float) -> None:
        self._metrics.silent[self._source(source),].set(1)
        self._log.warning("source_silent", source=source, seconds=round(seconds, 1))

    def source_heard(self, *, source: str, seconds: float) -> None:
        self._metrics.silent[self._source(source),].set(0)
        self._log.info("source_heard", source=source, seconds=round(seconds, 1))

    def ml_signal(self, *, outcome: str) -> None:
        self._metrics.ml_signals[one_of(outcome, ML_SIGNALS),].inc()

    def ml_signal_changed(self, *, pair: str, id_: str, neutral_as: str) -> None:
        self._say_some(self._log.info, "ml_signal", pair=pair, id=id_, neutral_as=neutral_as)

    def retained_found(self, *, topic: str, problem: str) -> None:
        self._metrics.retained_found[()].inc()
        self._warn_some("retained_found", topic=topic, problem=problem)

    def broker_connected(self, *, connected: bool) -> None:
        self._metrics.connected[()].set(connected)
        if connected:
            self._metrics.reconnects[()].inc(0 if not self._connected_before else 1)
            self._connected_before = True
        self._log.info("broker_connected" if connected else "broker_disconnected")

    def http_request(self, *, listener: str, route: str, method: str, status: int, seconds: float) -> None:
        listener, route = one_of(listener, LISTENERS), one_of(route, ROUTES)
        self._metrics.requests[listener, route, one_of(method, METHODS), str(status)].inc()
        self._metrics.request_seconds[listener, route].observe(seconds)

    def unexpected(self, *, where: str, error: BaseException) -> None:
        self._metrics.unexpected[()].inc()
        self._log.error("unexpected", where=where, exc_info=error)

    def audited(self, *, who: str, what: str, target: str, outcome: str) -> None:
        self._metrics.changes[one_of(outcome, AUDITED),].inc()
        self._log.info("audit", who=who, what=what, target=target, outcome=outcome)

    def problem(self, *, kind: str) -> None:
        self._metrics.problems[one_of(kind, PROBLEMS),].inc()

    def notified(self, *, target: str, outcome: str, problem: str) -> None:
        self._metrics.notifications[one_of(outcome, NOTIFIED),].inc()
        if problem:
            self._warn_some("not_notified", target=target, outcome=outcome, problem=problem)
        else:
            self._log.info("notified", target=target)

    def watch_outbox(self, depth: Callable[[], Backlog], *, now: Callable[[], int]) -> None:
        self._metrics.registry.register(OutboxCollector(depth, now=now))

    def watch_journal(self, trouble: Callable[[], str | None]) -> None:
        self._metrics.watch_journal(lambda: trouble() is None)

    def watch_room(self, room: Callable[[], Room]) -> None:
        self._metrics.registry.register(RoomCollector(room))

    def watch_certificate(self, end: Callable[[], float | None]) -> None:
        self._metrics.registry.register(CertificateCollector(end))

    def watch_clocks(self, offsets: Callable[[], Mapping[str, float]], *, named: Callable[[], Container[str]]) -> None:
        self._metrics.registry.register(ClockCollector(offsets, named=named))

    def watch_bots(self, lives: Callable[[], Mapping[str, Life]], *, named: Callable[[], Collection[str]]) -> None:
        self._metrics.registry.register(LivesCollector(lives, named=named, now=self._now))

    def _source(self, source: str) -> str:
        return source if source in self._sources else OTHER

    def _await_callback(self, id_: str, source: str, accepted_at: int) -> None:
        if len(self._awaited) >= _REMEMBERED:
            self._awaited.popitem(last=False)
        self._awaited[id_] = (source, accepted_at)

    def _unreadable(self, kind: str, **details: str) -> None:
        self._metrics.unreadable[kind,].inc()
        self._warn_some("unreadable", kind=kind, **details)

    def _bad(self, event: str, signal: Signal, **details: Any) -> None:
        of = {"id": signal.id, "source": signal.source, "instrument": signal.instrument, "effect": signal.effect}
        self._warn_some(event, **of, **details)

    def _warn_some(self, event: str, **details: Any) -> None:
        self._say_some(self._log.warning, event, **details)

    def _say_some(self, say: Callable[..., Any], event: str, **details: Any) -> None:
        second = self._now() // 1_000_000
        if second != self._second:
            self._second = second
            self._lines.clear()
        self._lines[event] += 1
        if self._lines[event] <= _LINES_PER_SECOND:
            say(event, **details)

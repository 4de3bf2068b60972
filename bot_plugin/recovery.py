"""Decides, and only decides, what becomes of the signals that an earlier process left unfinished."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot_plugin import reading
from bot_plugin.dispatch import Verdict, decide, expiry
from bot_plugin.inbox import Arrival, Step, Unfinished
from bot_plugin.registration import ANY, TRADE, Registration
from bot_plugin.signal import Signal
from bot_plugin.transport import Message
from schemas.fields import from_micros, instant_text
from schemas.receipt import Stage
from schemas.topics import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """One signal that was left, and what is to be done about it.

    Args:
        signal: None where this plugin cannot read it.
        run: the handlers to call, as if it had just come; those that are not here are called when they are.
        cut: handlers in which a crash cut it short, each with the reason for a person: to be reported.
        ended: handlers that will not see it, each with why.
        started: when each handler was called, microseconds.
        orders: by handler, the orders that followed.
    """

    id: str
    topic: str
    received_at: int
    signal: Signal | None = None
    run: tuple[Registration, ...] = ()
    cut: Mapping[Registration, str] = field(default_factory=dict)
    ended: Mapping[str, Verdict] = field(default_factory=dict)
    started: Mapping[str, int] = field(default_factory=dict)
    orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def decide_left(
    unfinished: Iterable[Unfinished],
    *,
    registrations: Sequence[Registration],
    modes: Collection[Mode],
    root: str,
    now: Callable[[], int],
    monotonic: Callable[[], int],
    more_may_come: bool = False,
) -> Iterator[Left]:
    """Decide about each signal, in order: to run what waited and is still true, to report what was cut short.

    Args:
        unfinished: what an earlier process left.
        registrations: the handlers that are here.
        modes: what the bot runs.
        root: what its topics begin with.
        now: the bot's clock, microseconds since the epoch.
        monotonic: a clock that nobody sets, microseconds.
        more_may_come: whether a handler that is not here may come: then what is for it waits.
    """
    for one in unfinished:
        message = Message(topic=one.arrival.topic, payload=one.arrival.payload)
        match reading.read(message, root=root, now=now, monotonic=monotonic):
            case Signal() as signal:
                signal = replace(signal, received_at=from_micros(one.arrival.received_at))
                known = {registration.name for registration in registrations}
                absent = {name: _absent(name) for name in one.steps if name not in known} if more_may_come else {}
                yield _decide(one, signal, registrations=registrations, absent=absent, modes=modes, now=now())
            case _:
                yield _unreadable(one)


def remembered(
    predictions: Iterable[Arrival],
    *,
    modes: Collection[Mode],
    root: str,
    now: Callable[[], int],
    monotonic: Callable[[], int],
    latest: Callable[[], int],
) -> Iterator[tuple[Signal, str | None]]:
    """The newest predictions that an earlier process heard, of a mode that the bot runs, and why one counts no more.

    Those that ran out meanwhile are among them: whoever acted on one is to be told that it did.
    """
    for one in predictions:
        message = Message(topic=one.topic, payload=one.payload)
        match reading.read(message, root=root, now=now, monotonic=monotonic, latest=latest):
            case Signal() as signal if signal.mode in modes:
                yield replace(signal, received_at=from_micros(one.received_at)), one.ended


def _decide(
    one: Unfinished,
    signal: Signal,
    *,
    registrations: Sequence[Registration],
    absent: Mapping[str, Registration],
    modes: Collection[Mode],
    now: int,
) -> Left:
    decision = decide(signal, now=now, registrations=registrations, modes=modes)
    late = expiry(signal, now=now)
    able = {registration.name: registration for registration in decision.run}
    known = {registration.name: registration for registration in registrations}
    if late is None:
        able |= absent
    run: dict[str, Registration] = {}
    cut: dict[Registration, str] = {}
    ended: dict[str, Verdict] = {}
    for name, step in one.steps.items():
        begun = step is Step.STARTED
        if step is Step.DONE:
            continue
        if name in able and (able[name].rerun or not begun):
            run[name] = able[name]
        elif begun:
            here = known.get(name) or absent.get(name) or _gone(name)
            cut[here] = _cut_short(name, one.started.get(name))
        elif name in absent and late is not None:
            ended[name] = late
        elif decision.verdict is not None and name in known:
            ended[name] = decision.verdict
        else:
            ended[name] = _no_handler(name, known=name in known)
    return Left(
        id=one.arrival.id,
        topic=one.arrival.topic,
        received_at=one.arrival.received_at,
        signal=signal,
        run=tuple(run[name] for name in (*known, *absent) if name in run),
        cut=cut,
        ended=ended,
        started=one.started,
        orders=one.orders,
    )


def _unreadable(one: Unfinished) -> Left:
    return Left(
        id=one.arrival.id,
        topic=one.arrival.topic,
        received_at=one.arrival.received_at,
        ended={
            name: Verdict(Stage.INTERRUPTED, _cut_short(name, one.started.get(name)))
            if step is Step.STARTED
            else Verdict(Stage.REFUSED, "this version of the plugin cannot read what an earlier one took in")
            for name, step in one.steps.items()
            if step is not Step.DONE
        },
    )


def _cut_short(name: str, started_at: int | None) -> str:
    when = "" if started_at is None else f", called at {instant_text(from_micros(started_at))}"
    return (
        f"the bot's process ended while {name}{when}, was running; it is not run again. Whether it had placed an order "
        "only the exchange knows: look there"
    )


def _no_handler(name: str, *, known: bool) -> Verdict:
    what = "no longer asks for such a signal" if known else "does not exist any more"
    return Verdict(Stage.REFUSED, f"the bot was restarted before it was run, and its handler {name!r} {what}")


def _gone(name: str) -> Registration:
    """Stands for a handler that does not exist any more: it is reported, never called."""
    return Registration(name=name, body=TRADE, source=ANY, target=lambda _: None)


def _absent(name: str) -> Registration:
    """Stands for a handler that is not here yet."""
    return _gone(name).without_handler()

"""Decide: what to do with the head of a lane, and what an answer of the broker means. Pure."""

from __future__ import annotations

from enum import Enum

from gateway.journal.model import Outcome, Station, Waiting
from gateway.mqtt.model import Ack
from gateway.mqtt.reasons import in_words

MAX_DROPS = 3
"""Connections that a publish may end, alone in flight, before it is given up."""

_RETRY_AFTER = (0.25, 0.5, 1.0, 2.0, 5.0)
"""Seconds between tries of the same publish."""


class Turn(Enum):
    """What the head of a lane needs now."""

    PUBLISH = "publish"
    MARK = "mark"
    WAIT = "wait"
    ABSENT = "absent"
    """Its stock bot is not there."""
    PASS = "pass"  # noqa: S105 - not a password
    """The broker has it, and sending it again is of no use now."""
    EXPIRE = "expire"


def turn(
    row: Waiting,
    *,
    now: int,
    late: bool,
    heard: bool | None,
    tries: int,
    superseded: bool,
    reaches: bool,
    absent: bool,
) -> Turn | Outcome:
    """Say what the head needs: an outcome where it is finished without a publish.

    Args:
        row: the head.
        now: microseconds since the epoch.
        late: whether it expired.
        heard: whether anyone listens, where the broker's tables tell; else None.
        tries: how often nobody heard it.
        superseded: whether a later signal makes it pointless.
        reaches: where the broker has it: whether a bot that has not receipted it can be reached.
        absent: whether it is for a stock bot that is not there.
    """
    if row.awaiting:
        return Turn.PUBLISH if reaches and not late and heard is not False else Turn.PASS
    if row.publishing:
        reason = "the gateway ended between the publish and its answer"
        return outcome(row, Station.UNKNOWN, now=now, reason=reason, tries=tries)
    if late:
        return Turn.EXPIRE
    if superseded:
        reason = "a later signal of its key, accepted before this one could be published, reduces the position"
        return outcome(row, Station.SUPERSEDED, now=now, reason=reason, tries=tries)
    if absent:
        return Turn.ABSENT
    if heard is False:
        return Turn.WAIT
    return Turn.MARK if row.once else Turn.PUBLISH


def expired(
    row: Waiting,
    *,
    now: int,
    unheard: bool = False,
    tries: int = 0,
    sent_to: tuple[str, ...] | None = None,
    absent: str = "",
) -> Outcome:
    """The outcome of a row whose time ran out.

    Args:
        row: what was not published, as far as is known.
        now: microseconds since the epoch.
        unheard: whether nobody listened.
        tries: how often nobody heard it.
        absent: the stock bot that it waited for; empty for none.
        sent_to: where a connection ended before the broker answered: the bots that may have it; else None.
    """
    if sent_to is not None:
        reason = "the connection ended before the broker answered, and did not come back until the signal expired"
        station = Station.PUBLISHED if sent_to else Station.UNKNOWN
        return outcome(row, station, now=now, reason=reason, tries=tries, awaiting=sent_to)
    if absent:
        reason = f"bot {absent} was absent, as it sent no heartbeat, until the signal expired"
        return outcome(row, Station.EXPIRED, now=now, reason=reason)
    if unheard:
        reason = f"nobody listened to {row.topic} until the signal expired"
        return outcome(row, Station.UNHEARD, now=now, reason=reason, tries=tries)
    return outcome(row, Station.EXPIRED, now=now, reason="it expired before it could be published")


def answered(
    row: Waiting, ack: Ack, *, now: int, previous: int | None, told: bool, tries: int, awaiting: tuple[str, ...]
) -> Outcome | None:
    """What the PUBACK of a row means; None where the publish is to be tried again.

    Args:
        row: what was published.
        ack: the broker's answer.
        now: microseconds since the epoch.
        previous: the number that was put before it.
        told: whether this broker and version say when nobody listens.
        tries: how often nobody heard it before.
        awaiting: the bots that must receipt it.
    """
    if row.awaiting:
        return _answered_again(row, ack, now=now)
    if ack.denied:
        reason = f"the broker refused it: {in_words(ack.reason, text=ack.text)}"
        return outcome(row, Station.DENIED, now=now, reason=reason, tries=tries)
    if ack.unheard and not row.once:
        return None
    if ack.unheard:
        return outcome(row, Station.UNHEARD, now=now, reason=f"nobody listens to {row.topic}")
    reason = _unconfirmed(row, told=told) if not awaiting else ""
    return outcome(row, Station.PUBLISHED, now=now, reason=reason, previous=previous, tries=tries, awaiting=awaiting)


def _unconfirmed(row: Waiting, *, told: bool) -> str:
    if row.once:
        return "no receipt is possible: a stock bot sends none"
    if told:
        return "no bot is known that would confirm it"
    return "no bot is known that would confirm it, and on MQTT 3.1.1 whether anyone listens is unknown"


def _answered_again(row: Waiting, ack: Ack, *, now: int) -> Outcome:
    """What the PUBACK of a redelivery means: the broker has it still, and the bots are still awaited."""
    reason = f"published again in vain: {in_words(ack.reason, text=ack.text)}" if ack.denied or ack.unheard else ""
    return outcome(row, Station.PUBLISHED, now=now, reason=reason, tries=row.attempts, awaiting=row.awaiting)


def lost(row: Waiting, *, now: int, drops: int, problem: str) -> Outcome | None:
    """What the end of a connection means for a publish in flight; None where it is to be sent again."""
    if row.once:
        reason = f"the connection ended before the broker answered: {problem}"
        return outcome(row, Station.UNKNOWN, now=now, reason=reason)
    if drops >= MAX_DROPS:
        reason = f"the broker closed the connection {drops} times when it was published alone: {problem}"
        return outcome(row, Station.DEAD, now=now, reason=reason, tries=drops - 1)
    return None


def retry_after(tries: int) -> float:
    """Seconds until the next try after so many."""
    return _RETRY_AFTER[min(tries, len(_RETRY_AFTER)) - 1]


def outcome(
    row: Waiting,
    station: Station,
    *,
    now: int,
    reason: str = "",
    previous: int | None = None,
    tries: int = 0,
    awaiting: tuple[str, ...] = (),
) -> Outcome:
    """An outcome of a row."""
    return Outcome(
        position=row.position,
        destination=row.lane.destination,
        station=station,
        at=now,
        reason=reason,
        previous=previous,
        attempts=tries + 1,
        awaiting=awaiting,
    )

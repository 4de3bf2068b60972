"""Withdrawal: an operator stops a signal, before the broker has it, or in every bot that has not started it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.delivery import SIGNALS
from gateway.journal.journal import Journal
from gateway.journal.model import Accepted, Delivered, Destination, Draft, Identity, Lane, Life, Station
from schemas.alert import Withdrawal, WithdrawalSchema
from schemas.envelope import WITHDRAW, Envelope, body, decode, encode_head, schema_urn
from schemas.fields import from_micros

BODY = "withdraw"
_PREDICTION = "prediction"
MAX_REASON = 500


_MAY_ARRIVE = {Station.WAITING, Station.HELD, Station.PUBLISHED, Station.RECEIPTED}
"""Where bots may have the signal, or get it."""


class NothingToWithdraw(Exception):
    """The signal has ended, or is no signal that could be stopped; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """What became of it.

    Args:
        message: the id of the withdrawal that was sent after a signal that bots may have; None where none gets it.
    """

    message: str | None = None


class Stop(Protocol):
    """See ``Delivery.withdraw``."""

    async def __call__(self, lane: Lane, *, position: int, id_: str, reason: str) -> None: ...


class Withdrawals:
    """Withdraws signals.

    Args:
        stop: ends a row of a lane as withdrawn where the broker does not have it: lane, position, id and reason.
        offer: hands what was committed to the delivery.
        clock: microseconds since the epoch.
        new_id: makes ids.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        stop: Stop,
        offer: Callable[[Sequence[Accepted]], None],
        clock: Callable[[], int],
        new_id: Callable[[], str],
    ) -> None:
        self._journal = journal
        self._stop = stop
        self._offer = offer
        self._clock = clock
        self._new_id = new_id

    async def withdraw(self, id_: str, *, reason: str) -> Withdrawn:
        """Stop a signal: what is on disk when this returns goes on also through a restart.

        Raises:
            LookupError: no signal has this id.
            NothingToWithdraw: it has ended already.
            NotStored: the journal cannot store; nothing was withdrawn from the bots.
        """
        life = await self._journal.life(id_)
        if life is None:
            raise LookupError(id_)
        if life.body == BODY:
            raise NothingToWithdraw("It is a withdrawal itself. Send the signal again instead.")
        key = decode(life.envelope).partitionkey or ""
        for one in life.deliveries:
            if not one.station.final:
                lane = Lane(one.destination, key)
                await self._stop(lane, position=life.position, id_=id_, reason=reason[:MAX_REASON])
        life = await self._journal.life(id_) or life
        versioned = next(one for one in life.deliveries if one.destination == SIGNALS)
        if versioned.station is Station.WITHDRAWN:
            return Withdrawn()
        if _has_ended(life, versioned, now=self._clock()):
            raise NothingToWithdraw(_how(life, versioned))
        return Withdrawn(message=await self._send(life, versioned, key=key, reason=reason[:MAX_REASON]))

    async def _send(self, life: Life, versioned: Delivered, *, key: str, reason: str) -> str:
        (result,) = await self._journal.accept([self._draft(life, versioned.topic, key=key, reason=reason)])
        if not isinstance(result, Accepted):
            return result.of
        self._offer([result])
        return result.draft.id

    def _draft(self, life: Life, topic: str, *, key: str, reason: str) -> Draft:
        id_, now, signal = self._new_id(), self._clock(), decode(life.envelope)
        envelope = Envelope(
            id=id_,
            source=signal.source,
            type=WITHDRAW,
            subject=signal.subject,
            time=from_micros(now),
            dataschema=schema_urn(WITHDRAW),
            expirytime=signal.expirytime,
            mode=signal.mode,
            partitionkey=key,
            causationid=life.id,
            data=body(WithdrawalSchema, Withdrawal(signal=life.id, reason=reason)),
        )
        return Draft(
            id=id_,
            source=life.source,
            body=BODY,
            mode=life.mode,
            instrument=life.instrument,
            effect="",
            key=key,
            accepted_at=now,
            expires_at=life.expires_at,
            head=encode_head(envelope),
            identity=Identity(key=f"withdraw {life.id}", fingerprint=life.id.encode()),
            destinations=(Destination(name=SIGNALS, topic=topic),),
        )


def _has_ended(life: Life, versioned: Delivered, *, now: int) -> bool:
    if now >= life.expires_at:
        return True
    if life.body == _PREDICTION:  # in force until it expires, also where every handler returned
        return False
    if versioned.station not in _MAY_ARRIVE:
        return True
    stages = {(one.bot, one.handler): one.stage for _, one in life.receipts}
    return versioned.station is Station.RECEIPTED and all(stage.final for stage in stages.values())


def _how(life: Life, versioned: Delivered) -> str:
    if versioned.station is Station.RECEIPTED and life.receipts:
        last = life.receipts[-1][1]
        return f"Nothing is left to stop: bot {last.bot} says {last.stage}."
    return f"Nothing is left to stop: it ended as {versioned.station}, or has expired."

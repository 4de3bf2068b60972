"""Clocks: how far each bot's is off the gateway's, from its cards and receipts, and who is told."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace

from gateway.bots.offset import BotClock, Offset
from gateway.telemetry import Telemetry
from schemas.card import BotCard
from schemas.fields import to_micros
from schemas.receipt import Receipt, Stage

_MOST = 10_000
"""Bots whose clocks are followed."""

_FRESH = 60_000_000
"""Microseconds after a signal's acceptance in which its receipts tell of the clock: repeated ones tell of the past."""

_BIAS = 500_000
"""Microseconds that Hummingbot adds to the time of a heartbeat."""

_NAMED = re.compile(r"clock is \d", re.ASCII)
"""How a reason reads in which the bot itself says how far its clock is off."""

_MAX_REASON = 2000


class Clocks:
    """Follows the clocks of the bots, and warns once when one is proven to be off by more than 2 s.

    Args:
        clock: the gateway's, microseconds since the epoch.
        timer: seconds that never go back.
    """

    def __init__(
        self, *, telemetry: Telemetry, clock: Callable[[], int], timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._telemetry = telemetry
        self._clock = clock
        self._timer = timer
        self._bots: dict[str, BotClock] = {}

    def card(self, card: BotCard) -> None:
        """Learn from a card that arrives; a retained one is old, which makes its bound weak, not wrong."""
        if card.clock is not None:
            self._observe(card.bot, least=to_micros(card.clock) - self._clock())

    def heartbeat(self, bot: str, at: int) -> None:
        """Learn from the time of a heartbeat that arrives, microseconds since the epoch."""
        self._observe(bot, least=at - _BIAS - self._clock())

    def receipt(self, receipt: Receipt) -> Receipt:
        """Learn from a receipt that arrives, and explain it where the bot's clock is why nothing was run."""
        accepted, now = accepted_at(receipt.signal), self._clock()
        if accepted is not None and accepted <= now <= accepted + _FRESH:
            received = receipt.received_at
            self._observe(
                receipt.bot,
                least=to_micros(receipt.at) - now,
                most=None if received is None else to_micros(received) - accepted,
            )
        return self._explained(receipt) if receipt.stage in {Stage.EXPIRED, Stage.REFUSED} else receipt

    def offset(self, bot: str) -> Offset:
        """What is known of a bot's clock."""
        known = self._bots.get(bot)
        return Offset() if known is None else known.offset(timer=self._timer())

    def offsets(self) -> dict[str, float]:
        """By bot, the best estimate in seconds, where there is one."""
        known = {bot: self.offset(bot).estimate for bot in self._bots}
        return {bot: estimate / 1e6 for bot, estimate in known.items() if estimate is not None}

    def forget(self, bot: str) -> None:
        """Follow a bot no more."""
        self._bots.pop(bot, None)

    def _observe(self, bot: str, *, least: int, most: int | None = None) -> None:
        known = self._bots.get(bot)
        if known is None:
            if len(self._bots) >= _MOST:
                return
            known = self._bots[bot] = BotClock()
        timer = self._timer()
        if known.observe(least=least, most=most, timer=timer):
            self._judge(bot, known, known.offset(timer=timer))

    def _judge(self, bot: str, known: BotClock, offset: Offset) -> None:
        verdict = offset.verdict
        if (verdict and verdict is not known.told) or (known.told and offset.agrees):
            known.told = verdict
            self._telemetry.bot_clock(bot=bot, problem=offset.problem)

    def _explained(self, receipt: Receipt) -> Receipt:
        reason = receipt.reason or ""
        by_clock = receipt.stage is Stage.EXPIRED or reason.startswith("clock")
        problem = self.offset(receipt.bot).problem
        if problem is None or not by_clock or _NAMED.search(reason):
            return receipt
        words = f"the gateway finds that this bot's {problem}"
        return replace(receipt, reason=f"{reason}; {words}"[-_MAX_REASON:] if reason else words)


def accepted_at(signal: str) -> int | None:
    """When the gateway accepted a signal, in microseconds, by the first 48 bits of its UUIDv7 (RFC 9562, section 5.7).

    None for what is no such id.
    """
    if signal[14:15] != "7":
        return None
    try:
        return int(signal[:8] + signal[9:13], 16) * 1000
    except ValueError:
        return None

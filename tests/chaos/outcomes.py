"""What the gateway's API says became of each signal, in as few words as the checker needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from schemas.receipt import Stage
from tests.e2e.deployment import Deployment

PAGE = 500

LAST_MOMENT = timedelta(seconds=1)
"""A bot that waits for a signal to the end goes on without it when its successor has this much left."""
UNFINISHED = frozenset({"waiting", "held", "publishing"})


class Said(NamedTuple):
    """The last word on a signal, a bot's or delivery's.

    ``early``: it was said before the signal expired; that it is out of order, before its last moment.
    """

    word: str
    early: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a signal ended: at its way to the broker, and by the receipts at each bot that sent any.

    ``awaited`` are the bots whose receipt the gateway still hopes for.
    """

    station: Said
    bots: tuple[tuple[str, Said], ...]
    awaited: tuple[str, ...] = ()

    def at(self, bot: str) -> Said | None:
        """The last stage that a bot told, its final one where it told one; None for nothing."""
        return dict(self.bots).get(bot)


def read_outcomes(deployment: Deployment) -> Iterator[tuple[str, Outcome]]:
    """Every signal that the journal has, by the private API, the newest first."""
    path = f"signals?limit={PAGE}"
    following: int | None = None
    while True:
        page = deployment.api(path if following is None else f"{path}&before={following}")
        for life in page["signals"]:
            yield life["id"], outcome(life)
        following = page["next"]
        if following is None:
            return


def outcome(life: dict[str, Any]) -> Outcome:
    """Read one life as the API shows it."""
    expires = _instant(life["expires_at"])
    (delivery,) = (one for one in life["deliveries"] if one["destination"] == "signals")
    bots: dict[str, Said] = {}
    for receipt in life["receipts"]:
        known = bots.get(receipt["bot"])
        if known is None or not Stage(known.word).final:
            over = expires - LAST_MOMENT if receipt["stage"] == Stage.OUT_OF_ORDER else expires
            bots[receipt["bot"]] = Said(receipt["stage"], _instant(receipt["at"]) < over)
    station = Said(delivery["station"], _instant(delivery["at"]) < expires)
    awaited = () if delivery["station"] == "unanswered" else tuple(delivery["awaiting"])
    return _shared(station, tuple(sorted(bots.items())), awaited)


@lru_cache
def _shared(station: Said, bots: tuple[tuple[str, Said], ...], awaited: tuple[str, ...]) -> Outcome:
    """Few outcomes differ: a million signals share them."""
    return Outcome(station, bots, awaited)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)

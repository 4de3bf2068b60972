"""Let the running gateway forget a bot, and say what is left to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from gateway.cli.failure import Exit, Failure
from gateway.cli.http import call_api
from gateway.config.settings import Settings


@dataclass(frozen=True, slots=True)
class Forgetting:
    """What became of it.

    Args:
        done: whether a running gateway forgot the bot.
        known: whether that gateway had seen a card of the bot.
        left: what the operator still has to do.
    """

    done: bool
    known: bool
    left: tuple[str, ...]

    @property
    def lines(self) -> Iterator[str]:
        """The same for a person."""
        if self.done:
            yield "the gateway expects it no more"
        yield from (f"left to do: {one}" for one in self.left)


def forget(settings: Settings, name: str) -> Forgetting:
    """Ask the running gateway to forget a bot.

    Raises:
        Failure: it cannot, for now.
    """
    named = tuple(
        f"take {name} off sources.{source.name}.bots, which expects it"
        for source in settings.sources.values()
        if name in source.bots
    )
    try:
        answer = call_api(settings, "POST", f"/bots/{quote(name, safe='')}/forget")
    except Failure as failure:
        if failure.exit_code is not Exit.UNREACHABLE:
            raise
        again = f"run signal-gateway bots remove {name} again while the gateway runs, which else expects it for a week"
        return Forgetting(done=False, known=False, left=(f"{again} ({failure})", *named))
    topic = settings.topics.bot(name)
    cleared = () if answer["card_cleared"] else (f"clear the retained message on {topic} at the broker",)
    return Forgetting(done=True, known=bool(answer["known"]), left=(*cleared, *named))

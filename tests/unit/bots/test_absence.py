"""Why nobody listens to a command is said as far as it is known."""

from __future__ import annotations

import pytest

from gateway.bots.absence import absence
from gateway.bots.cards import Shown
from gateway.bots.liveness import Sign, State
from gateway.bots.offset import Offset
from gateway.bots.registry import Heard
from gateway.bots.roster import BotState
from gateway.journal.model import KnownBot

NOON = 1_795_348_800_000_000
BEFORE = NOON - 30_000_000


def bot(state: State | None = None, *, commands: set[str] | None = None, absent_since: int | None = None) -> BotState:
    known = KnownBot(name="one", filters=(), absent_since=absent_since)
    return BotState(
        name="one",
        sources=(),
        profile=None,
        shown=None if commands is None else Shown(known, commands=frozenset(commands)),
        heard=None if state is None else Heard(state, NOON, BEFORE, Sign.HEARTBEAT, None),
        offset=Offset(),
        unreceived=0,
        last_receipt=None,
    )


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            None,
            "there is no bot one: it has no login, no source names it, and it was not heard. signal-gateway bots list",
        ),
        (bot(State.DEAD), "one is dead since 2026-11-22T12:00:00Z; its last sign of life was at 2026-11-22T11:59:30Z."),
        (bot(State.LEFT, commands={"stop"}), "one left since 2026-11-22T12:00:00Z: start it."),
        (bot(commands={"stop"}, absent_since=NOON), "one is absent since 2026-11-22T12:00:00Z."),
        (bot(), "one was not heard since the gateway started: it is not connected, or has no such command."),
        (
            bot(State.ALIVE, commands={"stop", "command/flatten"}),
            "one is there and has no such command; it has command/flatten, stop.",
        ),
        (bot(State.ALIVE, commands=set()), "one is there, and its card lists no commands: it serves none."),
        (bot(State.ALIVE, commands={"status"}), "one is not connected, or has no such command."),
        (bot(State.ALIVE), "one is not connected, or has no such command."),
    ],
)
def test_what_is_known_of_the_bot_is_said(state: BotState | None, words: str) -> None:
    assert absence(state, bot="one", command="status").startswith(words)


def test_of_endless_commands_a_beginning_is_named() -> None:
    words = absence(bot(State.ALIVE, commands={f"command/c{n:02}" for n in range(50)}), bot="one", command="status")

    assert words.endswith("command/c19 and 30 more.")

"""What came of a command, from every combination of what can be known."""

from __future__ import annotations

from typing import Any

import pytest

from bot_plugin.client import Bot, Outcome, calls
from bot_plugin.client.verdict import Exchange, conclude
from schemas.rpc import Reply

UNSEEN = Bot(name="bot1")
ALIVE = Bot(name="bot1", alive=True, silent_for=3.0)
SILENT = Bot(name="bot1", silent_for=47.4)
GONE = Bot(name="bot1", gone=True, silent_for=5.0)


@pytest.mark.parametrize(
    ("bot", "exchange", "words", "sent"),
    [
        (UNSEEN, Exchange(took=35), "the broker was away for all the 35.0 s of this call: it was not sent", False),
        (UNSEEN, Exchange(published=True, code=0x10), "nobody listens for it: no bot 'bot1' was seen", False),
        (
            ALIVE,
            Exchange(published=True, code=0x10),
            "nobody listens for it: bot 'bot1' is alive and does not take this",
            False,
        ),
        (
            UNSEEN,
            Exchange(published=True, code=0, took=35),
            "no answer came within 35.0 s: no bot 'bot1' was seen",
            True,
        ),
        (SILENT, Exchange(published=True, code=0), "bot 'bot1' is silent for 47 s", True),
        (GONE, Exchange(published=True, code=0), "bot 'bot1' has gone offline", True),
        (ALIVE, Exchange(published=True, code=0), "bot 'bot1' is alive, and busy", True),
        (ALIVE, Exchange(published=True), "no answer came", True),
        (ALIVE, Exchange(published=True, code=0, lost=True), "lost meanwhile", True),
        (ALIVE, Exchange(published=True, code=0, unreadable="not JSON"), "cannot be read: not JSON", True),
    ],
)
def test_no_answer_is_unknown_with_what_is_known(bot: Bot, exchange: Exchange, words: str, *, sent: bool) -> None:
    """The reason says how far the command came and what was seen of the bot; nothing is called failed."""
    result = conclude(calls.status(), bot, exchange, msg_id="m1")

    assert (result.outcome, result.status, result.msg, result.confirmed) == (Outcome.UNKNOWN, None, "", False)
    assert words in result.reason
    assert (result.sent, result.msg_id, result.took) == (sent, "m1", exchange.took)


@pytest.mark.parametrize("bot", [UNSEEN, ALIVE, SILENT, GONE])
def test_a_broker_that_does_not_say_what_it_denies_is_thought_of(bot: Bot) -> None:
    """Silence may be the login's; an answer that cannot be read, or nobody at the topic, is not."""
    words = "or this login may not command it"
    silence = Exchange(published=True, code=0, took=35)
    known = Exchange(published=True, code=0, unreadable="not JSON"), Exchange(published=True, code=0x10), Exchange()

    assert words in conclude(calls.status(), bot, silence, msg_id="m1").reason
    assert not [each for each in known if words in conclude(calls.status(), bot, each, msg_id="m1").reason]


@pytest.mark.parametrize("code", [0x80, 0x87, 0x97])
def test_the_brokers_refusal_is_a_refusal(code: int) -> None:
    """A reason code from 0x80 means that nobody got it."""
    result = conclude(calls.status(), UNSEEN, Exchange(published=True, code=code), msg_id="m1")

    assert (result.outcome, result.sent) == (Outcome.REFUSED, False)
    assert f"{code:#x}" in result.msg


@pytest.mark.parametrize("code", [None, 0, 0x10, 0x87])
@pytest.mark.parametrize(("status", "outcome"), [(200, Outcome.DONE), (400, Outcome.REFUSED), (500, Outcome.REFUSED)])
def test_an_answer_counts_whatever_the_broker_said(code: int | None, status: int, outcome: Outcome) -> None:
    """The bot's own word is the best that can be known."""
    exchange = Exchange(reply=Reply(status=status, msg="w", more={"data": 1}), published=True, code=code)
    result = conclude(calls.status(), UNSEEN, exchange, msg_id="m1")

    assert (result.outcome, result.status, result.msg, result.sent) == (outcome, status, "w", True)
    assert result.data == (1 if outcome is Outcome.DONE else None)
    assert dict(result.more) == {"data": 1}


@pytest.mark.parametrize(
    "read", [calls.history(days=0, verbose=False, precision=None), calls.balance(exchange=None, asset=None)]
)
def test_an_answer_that_leaves_everything_out_is_empty(read: Any) -> None:
    """A stock bot leaves out what it has none of."""
    result = conclude(read, UNSEEN, Exchange(reply=Reply(status=200)), msg_id="m1")

    assert (result.outcome, result.data, result.reason) == (Outcome.DONE, (), "")

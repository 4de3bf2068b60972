"""One process per name: what a starting process concludes from what it sees, and the lock on this machine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot_plugin import NameTaken, PluginSettings, SettingsError, SignalListener
from bot_plugin.presence import Claim, decode_card, encode_card, lock
from bot_plugin.testing import FakeBroker
from schemas.card import BotCard, Presence


def card(instance: str, presence: Presence) -> BotCard:
    return BotCard(bot="demo", instance=instance, presence=presence)


MINE = card("me", Presence.CLAIM), False
THEIRS = card("other", Presence.CLAIM), False
RETAINED = card("other", Presence.ONLINE), True
ANSWER = card("other", Presence.ONLINE), False
GOODBYE = card("other", Presence.OFFLINE), True


@pytest.mark.parametrize(
    ("seen", "echoed", "suspect", "taken", "challenged"),
    [
        ([], False, False, False, False),
        ([MINE], True, False, False, False),
        ([RETAINED, MINE], True, True, False, False),
        ([GOODBYE, MINE], True, False, False, False),
        ([RETAINED, MINE, ANSWER], True, True, True, False),
        ([MINE, ANSWER], True, False, True, False),
        ([THEIRS, MINE], True, False, True, False),
        ([MINE, THEIRS], True, False, False, True),
        ([(card("me", Presence.ONLINE), True), MINE], True, False, False, False),
    ],
)
def test_what_is_concluded_from_cards(
    seen: list[tuple[BotCard, bool]], *, echoed: bool, suspect: bool, taken: bool, challenged: bool
) -> None:
    claim = Claim("me")
    for found, retained in seen:
        claim.see(found, retained=retained)

    assert (claim.echoed, claim.suspect, claim.taken is not None, claim.challenged) == (
        echoed,
        suspect,
        taken,
        challenged,
    )


def test_of_two_claims_exactly_the_one_that_the_broker_had_second_yields() -> None:
    order = [card("a", Presence.CLAIM), card("b", Presence.CLAIM)]
    claims = {name: Claim(name) for name in ("a", "b")}
    for found in order:
        for claim in claims.values():
            claim.see(found, retained=False)

    assert claims["a"].taken is None
    assert claims["b"].taken is not None


def test_a_card_is_read_as_it_was_written_and_what_is_none_is_none() -> None:
    written = card("me", Presence.ONLINE)
    read = decode_card(encode_card(written, now=1))

    assert read is not None
    assert read.instance == "me"
    assert read.clock is not None
    assert decode_card(b"") is None
    assert decode_card(b"{}") is None


def test_a_folder_is_locked_by_one_process(tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    with lock(state, "demo"):
        with pytest.raises(NameTaken, match=r"it holds .*demo\.lock"), lock(state, "demo"):
            pass
        with lock(state, "other"):
            pass
    with lock(state, "demo"):
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"state_dir .* cannot be written"), lock(str(tmp_path / "file"), "demo"):
        pass


async def test_a_second_listener_on_one_broker_stops_and_the_first_goes_on() -> None:
    broker = FakeBroker()
    first, second = (SignalListener(PluginSettings(bot="demo")) for _ in range(2))
    running = asyncio.ensure_future(first.run(connect=broker.link))
    await first.wait_connected()

    with pytest.raises(NameTaken, match=r"instance .* answered"):
        await second.run(connect=broker.link)

    assert not running.done()
    first.stop()
    await running


async def test_two_bots_of_other_names_do_not_disturb_each_other() -> None:
    broker = FakeBroker()
    listeners: list[Any] = [SignalListener(PluginSettings(bot=name)) for name in ("one", "two")]
    runs = [asyncio.ensure_future(listener.run(connect=broker.link)) for listener in listeners]
    for listener in listeners:
        await listener.wait_connected()
        listener.stop()
    await asyncio.gather(*runs)

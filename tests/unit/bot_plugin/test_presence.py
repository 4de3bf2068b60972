"""One process per name: what a starting process concludes from what it sees, and the lock on this machine."""

from __future__ import annotations

import asyncio
import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot_plugin import LinkRefused, MemoryInbox, NameTaken, PluginSettings, SettingsError, SignalListener, presence
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


def test_of_what_a_card_says_that_was_listened_to_only_topic_filters_are_believed() -> None:
    """A broker closes the connection on which it is asked to drop what is no filter: no stranger's card brings that."""
    claim = Claim("me")
    wrong = ("", "a/#/b", "a+", "a\0b", "x" * 70_000)
    claim.see(replace(card("other", Presence.ONLINE), subscriptions=("signals/v1/#", *wrong)), retained=True)

    assert claim.left == ("signals/v1/#",)


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
    state = tmp_path / "state"
    with lock(state, "demo", instance="a"):
        with pytest.raises(NameTaken, match=r"it holds .*demo\.lock"), lock(state, "demo", instance="b"):
            pass
        with lock(state, "other", instance="c"):
            pass
    with lock(state, "demo", instance="d"):
        pass


def test_who_holds_the_lock_knows_who_held_it_before(tmp_path: Path) -> None:
    earlier = []
    for instance in ("a" * 32, "short", "b" * 32):
        with lock(tmp_path, "demo", instance=instance) as before:
            earlier.append(before)

    assert earlier == ["", "a" * 32, "short"]


def test_a_copied_folder_says_nothing_of_the_process_that_it_was_copied_from(tmp_path: Path) -> None:
    with lock(tmp_path / "one", "demo", instance="lives"):
        shutil.copytree(tmp_path / "one", tmp_path / "two")
        with lock(tmp_path / "two", "demo", instance="new") as earlier:
            assert earlier == ""


@pytest.mark.parametrize("content", ["[[package]]\nname = 'x'\n" * 500, "x", "a b c\n"])
def test_a_file_of_somebody_else_serves_as_a_lock_and_stays_as_it_is(tmp_path: Path, content: str) -> None:
    (tmp_path / "uv.lock").write_text(content)
    with lock(tmp_path, "uv", instance="a") as earlier, pytest.raises(NameTaken), lock(tmp_path, "uv", instance="b"):
        pass

    assert earlier == ""
    assert (tmp_path / "uv.lock").read_text() == content


def test_a_lock_that_is_a_link_to_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    (tmp_path / "demo.lock").symlink_to(tmp_path / "precious")
    with pytest.raises(SettingsError, match="cannot be written"), lock(tmp_path, "demo", instance="a"):
        pass


async def test_a_bot_that_crashed_starts_again_at_once_though_its_card_still_says_that_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "ANSWER_TIME", 60.0)
    broker, settings = FakeBroker(), PluginSettings(bot="demo", state_dir=tmp_path)
    with lock(tmp_path, "demo", instance="crashed"):
        left = encode_card(card("crashed", Presence.ONLINE), now=1)
    broker.publish(settings.topics.bot("demo"), left, retain=True)

    bot = SignalListener(settings)
    running = asyncio.ensure_future(bot.run(connect=broker.link))
    await asyncio.wait_for(bot.wait_connected(), 5)
    bot.stop()
    await running


def test_the_retained_card_of_the_process_that_held_the_lock_before_is_of_a_dead_one() -> None:
    claim = Claim("me", "other")
    for found, retained in (RETAINED, MINE):
        claim.see(found, retained=retained)
    assert not claim.suspect

    found, retained = ANSWER
    claim.see(found, retained=retained)
    assert claim.taken is not None, "it lives after all"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(SettingsError, match=r"folder .*file cannot be written: .*; make it"),
        lock(tmp_path / "file", "demo", instance="a"),
    ):
        pass


async def test_a_second_listener_on_one_broker_stops_and_the_first_goes_on() -> None:
    broker = FakeBroker()
    first, second = (SignalListener(PluginSettings(bot="demo"), inbox=MemoryInbox()) for _ in range(2))
    running = asyncio.ensure_future(first.run(connect=broker.link))
    await first.wait_connected()

    with pytest.raises(NameTaken, match=r"instance .* answered"):
        await second.run(connect=broker.link)

    assert not running.done()
    first.stop()
    await running


async def test_two_bots_of_other_names_do_not_disturb_each_other() -> None:
    broker = FakeBroker()
    listeners: list[Any] = [SignalListener(PluginSettings(bot=name), inbox=MemoryInbox()) for name in ("one", "two")]
    runs = [asyncio.ensure_future(listener.run(connect=broker.link)) for listener in listeners]
    for listener in listeners:
        await listener.wait_connected()
        listener.stop()
    await asyncio.gather(*runs)


class DenyingBroker(FakeBroker):
    """A broker that lets nobody publish cards; ``reason`` is what its PUBACK says."""

    def __init__(self, reason: int) -> None:
        super().__init__()
        self._reason = reason

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        return self._reason if topic == "signals/v1/bot/demo" else super().publish(topic, payload, retain=retain)


async def test_a_bot_that_may_not_publish_its_card_ends_and_says_which_permission_it_lacks() -> None:
    listener = SignalListener(PluginSettings(bot="demo"), inbox=MemoryInbox())

    with pytest.raises(
        LinkRefused, match=r"publish its card on signals/v1/bot/demo \(reason 0x87\).*permission to write"
    ):
        await asyncio.wait_for(listener.run(connect=DenyingBroker(0x87).link), 5)


async def test_a_bot_whose_claim_never_comes_back_warns_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bot_plugin.presence.ECHO_TIME", 0.05)
    listener = SignalListener(PluginSettings(bot="demo"), inbox=MemoryInbox())
    running = asyncio.ensure_future(listener.run(connect=DenyingBroker(0).link))
    with caplog.at_level(logging.WARNING):
        await asyncio.wait_for(listener.wait_connected(), 5)
    listener.stop()
    await running

    assert "its login needs the permission to write there" in caplog.text

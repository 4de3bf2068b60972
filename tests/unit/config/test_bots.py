"""Bots at the broker: who may log in, what each may do, and how a change acts at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.bots import name_problem, put_bot, read_bots, remove_bot
from gateway.config.folder import Folder
from gateway.config.logins import BrokerLogins
from gateway.config.permissions import gateway_permissions, permissions
from gateway.errors import Misconfigured
from schemas.command import Command
from schemas.topics import SignalTopic, Topics

NOW = 1_795_352_101_000_000
TOPICS = Topics(root="signals", namespace="hbot")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = Folder(tmp_path, tmp_path / "c.yml")
    folder.secrets.mkdir()
    return folder.bots


@pytest.fixture
def logins(tmp_path: Path) -> BrokerLogins:
    return BrokerLogins(Folder(tmp_path, tmp_path / "c.yml"), topics=TOPICS, gateway=("gateway", "own"))


def test_a_bot_logs_in_with_its_own_password_only(path: Path, logins: BrokerLogins) -> None:
    one = put_bot(path, "one", sources=(), now=NOW)
    two = put_bot(path, "two", sources=(), now=NOW)

    assert logins.login("one", one) == permissions("one", (), TOPICS)
    assert logins.login("one", two) is None
    assert logins.login("nobody", one) is None
    assert logins.login("one", "") is None


def test_the_gateway_logs_in_with_its_own_permissions(logins: BrokerLogins) -> None:
    assert logins.login("gateway", "own") == gateway_permissions(TOPICS)
    assert logins.login("gateway", "other") is None


def test_a_rotated_and_a_removed_bot_are_refused_at_once_and_named_as_revoked(path: Path, logins: BrokerLogins) -> None:
    old = put_bot(path, "one", sources=(), now=NOW)
    put_bot(path, "two", sources=(), now=NOW)
    assert logins.login("one", old) is not None
    assert logins.revoked() == ()

    new = put_bot(path, "one", sources=(), now=NOW)
    assert logins.login("one", old) is None
    assert logins.login("one", new) is not None
    assert logins.revoked() == ("one",)

    assert remove_bot(path, "one")
    assert logins.revoked() == ("one",)
    assert logins.login("one", new) is None
    assert not remove_bot(path, "one")


def test_the_file_holds_no_password_and_is_private(path: Path) -> None:
    password = put_bot(path, "one", sources=("tv",), now=NOW)

    assert password not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_bots(path)["one"].sources == ("tv",)


def test_a_damaged_file_is_named(path: Path) -> None:
    path.write_text('{"bots": {"one": {"password": "x"}}}')

    with pytest.raises(Misconfigured, match="is damaged"):
        read_bots(path)


@pytest.mark.parametrize("name", ["predictions", "gateway", "a/b", "#", "", "a.b", "x" * 129])
def test_a_bot_cannot_have_a_name_that_is_a_topic_word_a_filter_or_the_gateways(name: str) -> None:
    assert name_problem(name, gateway="gateway")


def test_a_bot_reads_its_sources_and_nobody_elses() -> None:
    allowed = permissions("one", ("tv",), TOPICS)

    for test in (False, True):
        for body in ("trade", "alert", "prediction"):
            assert allowed.may_receive(TOPICS.signal(SignalTopic(body, "tv", "BTC-USDT", test)))
            assert not allowed.may_receive(TOPICS.signal(SignalTopic(body, "other", "BTC-USDT", test)))
    assert allowed.may_subscribe("signals/v1/trade/tv/+")
    assert not allowed.may_subscribe("signals/v1/trade/+/+")
    assert not allowed.may_subscribe("#")


def test_a_bot_without_a_list_of_sources_reads_all() -> None:
    assert permissions("one", (), TOPICS).may_subscribe("signals/v1/trade/+/+")


def test_a_bot_that_reads_every_source_reads_ml_signals_and_no_bot_says_them() -> None:
    topic = TOPICS.ml_signals("BTC-USDT")
    every, limited, gateway = (
        permissions("one", (), TOPICS),
        permissions("two", ("tv",), TOPICS),
        gateway_permissions(TOPICS),
    )

    assert [allowed.may_receive(topic) for allowed in (every, limited, gateway)] == [True, False, True]
    assert [allowed.may_publish(topic) for allowed in (every, limited, gateway)] == [False, False, True]
    assert every.may_subscribe(topic)
    assert not gateway.may_publish("hbot/predictions/btc_usdt/OTHER")


def test_a_bot_says_only_what_is_its_own() -> None:
    allowed = permissions("one", (), TOPICS)

    for topic in ("signals/v1/receipt/one", "signals/v1/bot/one", "signals/v1/reply/one/cli/7f", "hbot/one/hb"):
        assert allowed.may_publish(topic)
    for topic in (
        "signals/v1/receipt/two",
        "signals/v1/bot/two",
        "signals/v1/reply/two/cli/7f",
        "signals/v1/trade/tv/BTC-USDT",
        "signals/v1/receipted/one",
        "signals/v1/gateway/gateway",
        "hbot/one/stop",
        "hbot/one/external/event/x",
        "hbot/two/hb",
        "hbot/one/balance/limit",
        "hbot/one/command/rebalance",
        "hbot/two/stop",
        "signals/v1/reply/two/gateway/7f",
    ):
        assert not allowed.may_publish(topic)


def test_a_bot_reads_its_own_card_answers_and_commands_only() -> None:
    allowed = permissions("one", (), TOPICS)

    for topic in ("signals/v1/receipted/one", "signals/v1/bot/one", "hbot/one/start", "hbot/one/external/event/x"):
        assert allowed.may_receive(topic)
    for topic in ("signals/v1/receipted/two", "signals/v1/bot/two", "hbot/two/start", "signals/v1/receipt/one"):
        assert not allowed.may_receive(topic)


def test_the_gateway_says_signals_and_events_and_reads_receipts_cards_and_telemetry() -> None:
    allowed = gateway_permissions(TOPICS)

    assert allowed.may_publish("signals/v1/trade/tv/BTC-USDT")
    assert allowed.may_publish("signals-test/v1/trade/tv/BTC-USDT")
    assert allowed.may_publish("hbot/one/external/event/tv/signal")
    assert allowed.may_subscribe(TOPICS.every("receipt"))
    assert allowed.may_subscribe(TOPICS.every("bot"))
    assert allowed.may_receive("hbot/one/hb")


def test_a_bot_may_reply_where_older_clients_wait_for_it() -> None:
    allowed = permissions("one", (), TOPICS)

    for topic in (f"rpc-{'7f' * 16}", "hummingbot-api-response-1786000000000", "hummingbot-api/response/1786000000000"):
        assert allowed.may_publish(topic)
        assert not allowed.may_receive(topic)


def test_the_gateway_commands_every_bot_and_reads_replies_to_itself_only() -> None:
    allowed = gateway_permissions(TOPICS)

    for command in (*Command, "command/rebalance"):
        assert allowed.may_publish(TOPICS.command("one", command))
        assert not allowed.may_receive(TOPICS.command("one", command))
    for topic in ("hbot/one/command", "hbot/one/command/a/b", "hbot/one/hb", "hbot/one/balance/all"):
        assert not allowed.may_publish(topic)
    assert allowed.may_subscribe(TOPICS.replies("gateway"))
    assert not allowed.may_receive(TOPICS.reply("one", "alice", "7f"))

"""Clients: whose key opens the API, and what each may do at the broker, by its role."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from gateway.config.clients import ClientKeys, Given, client_name_problem, put_client, read_clients, remove_client
from gateway.config.folder import Folder
from gateway.config.logins import BrokerLogins
from gateway.config.permissions import client_permissions
from gateway.errors import Misconfigured
from gateway.mqtt import Permissions
from gateway.roles import Caller, Role
from schemas.command import Command
from schemas.topics import SignalTopic, Topics

NOW = 1_795_352_101_000_000
TOPICS = Topics()
COMMANDS = (*Command, "command/rebalance")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path, tmp_path / "c.yml")


def put(
    folder: Folder, name: str = "alice", role: Role = Role.OPERATOR, *, bots: tuple[str, ...] = (), **more: bool
) -> Given:
    options = {"broker": True, "legacy": False, **more}
    return put_client(folder.clients, name, role=role, bots=bots, now=NOW, **options)


def allowed(folder: Folder, role: Role, *, bots: tuple[str, ...] = (), legacy: bool = False) -> Permissions:
    put(folder, "alice", role, bots=bots, legacy=legacy)
    return client_permissions(read_clients(folder.clients)["alice"], TOPICS)


def test_a_key_is_known_at_once_as_its_clients_and_its_role(folder: Folder) -> None:
    keys = ClientKeys(folder.clients)
    assert keys() == ()

    first = put(folder, "alice", Role.OPERATOR, bots=("one",)).token
    assert keys() == (
        (Caller(name="alice", role=Role.OPERATOR, bots=("one",)), hashlib.sha256(first.encode()).digest()),
    )
    second = put(folder, "alice", Role.VIEWER).token
    assert keys() == ((Caller(name="alice", role=Role.VIEWER), hashlib.sha256(second.encode()).digest()),)
    assert remove_client(folder.clients, "alice")
    assert keys() == ()
    assert not remove_client(folder.clients, "alice")


def test_the_file_holds_no_secret_and_is_private(folder: Folder) -> None:
    given = put(folder)
    text = folder.clients.read_text()

    assert given.password
    assert given.token not in text
    assert given.password not in text
    assert folder.clients.stat().st_mode & 0o777 == 0o600
    assert given.token not in repr(given) + repr(read_clients(folder.clients))


@pytest.mark.parametrize("change", [{"role": "root"}, {"sha256": "7f"}, {"sha256": 1}, {"password": "x"}, {"bots": 7}])
def test_a_damaged_file_is_named_and_lets_nobody_in(folder: Folder, change: dict) -> None:
    put(folder)
    kept = json.loads(folder.clients.read_text())
    kept["clients"]["alice"] |= change
    folder.clients.write_text(json.dumps(kept))

    with pytest.raises(Misconfigured, match="is damaged"):
        read_clients(folder.clients)
    assert ClientKeys(folder.clients)() == ()


@pytest.mark.parametrize("name", ["api", "gateway", "own", "a/b", "+", "", "x" * 65])
def test_a_client_cannot_have_the_gateways_names_nor_one_that_is_no_topic_segment(name: str) -> None:
    assert client_name_problem(name, gateway="own")
    assert not client_name_problem("alice", gateway="own")


def test_a_client_logs_in_with_its_password_and_not_with_its_key_until_it_is_removed(folder: Folder) -> None:
    logins = BrokerLogins(folder, topics=TOPICS, gateway=("gateway", "own"))
    given = put(folder)
    assert given.password

    assert logins.login("alice", given.password) == client_permissions(read_clients(folder.clients)["alice"], TOPICS)
    assert logins.login("alice", given.token) is None
    assert logins.login("alice", "") is None
    assert logins.revoked() == ()
    put(folder, role=Role.VIEWER)
    assert logins.revoked() == ("alice",)
    assert logins.login("alice", given.password) is None
    remove_client(folder.clients, "alice")
    assert logins.revoked() == ("alice",)


def test_a_client_without_a_login_at_the_broker_has_none(folder: Folder) -> None:
    logins = BrokerLogins(folder, topics=TOPICS, gateway=("gateway", "own"))
    given = put(folder, broker=False)

    assert given.password is None
    assert logins.login("alice", "") is None
    assert logins.login("alice", given.token) is None


@pytest.mark.parametrize("role", Role)
def test_every_role_hears_what_bots_tell_and_replies_to_itself_only(folder: Folder, role: Role) -> None:
    may = allowed(folder, role)

    for topic in ("hbot/one/hb", "hbot/one/log", "signals/v1/bot/one", "signals/v1/receipt/one"):
        assert may.may_receive(topic)
        assert not may.may_publish(topic)
    assert may.may_subscribe(TOPICS.replies("alice"))
    for topic in (TOPICS.reply("one", "bob", "7f"), "hbot/one/start", "hbot/one/external/event/x", f"rpc-{'7f' * 16}"):
        assert not may.may_receive(topic)
    for topic in ("signals/v1/trade/tv/BTC-USDT", "hbot/one/external/event/x", TOPICS.reply("one", "alice", "7f")):
        assert not may.may_publish(topic)


def test_a_viewer_commands_nobody_and_the_others_every_bot(folder: Folder) -> None:
    for command in COMMANDS:
        topic = TOPICS.command("one", command)
        assert not allowed(folder, Role.VIEWER).may_publish(topic)
        assert allowed(folder, Role.OPERATOR).may_publish(topic)
        assert allowed(folder, Role.ADMIN).may_publish(topic)


def test_a_client_that_is_limited_commands_and_hears_its_own_bots_only(folder: Folder) -> None:
    may = allowed(folder, Role.OPERATOR, bots=("one", "two"))

    for command in COMMANDS:
        assert may.may_publish(TOPICS.command("two", command))
        assert not may.may_publish(TOPICS.command("three", command))
    assert may.may_receive("hbot/one/hb")
    for topic in ("hbot/three/hb", "signals/v1/bot/three", "signals/v1/receipt/three"):
        assert not may.may_receive(topic)


def test_only_an_administrator_reads_signals(folder: Folder) -> None:
    topic = TOPICS.signal(SignalTopic("trade", "tv", "BTC-USDT"))

    assert [role for role in Role if allowed(folder, role).may_receive(topic)] == [Role.ADMIN]


def test_only_a_client_that_asked_for_it_reads_where_older_clients_want_replies(folder: Folder) -> None:
    for topic in (f"rpc-{'7f' * 16}", "hummingbot-api/response/1786000000000"):
        assert allowed(folder, Role.OPERATOR, legacy=True).may_receive(topic)
        assert not allowed(folder, Role.OPERATOR).may_receive(topic)


def test_a_role_includes_those_before_it_and_itself() -> None:
    assert [[one.includes(other) for other in Role] for one in Role] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]

"""Clients on the command line: a key that is shown once, and a login at the broker where it was asked for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from bot_plugin.settings_files import read_env_file
from gateway.config.clients import read_clients
from gateway.roles import Role
from tests.unit.cli.conftest import Call


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data/secrets/clients.json"


def test_a_key_is_printed_once_and_opens_the_api_as_its_role_until_it_is_rotated(call: Call, file: Path) -> None:
    call("init")
    added = call("clients", "add", "alice", "--role", "operator", "--bots", "one, two", "--json").json
    kept = read_clients(file)["alice"]

    assert kept.token == hashlib.sha256(added["token"].encode()).digest()
    assert (kept.role, kept.bots, kept.password_hash) == (Role.OPERATOR, ("one", "two"), None)
    assert added["env"] == {"SIGNAL_GATEWAY_API_TOKEN": added["token"]}
    listed, rotated = call("clients", "list", "--json"), call("clients", "rotate", "alice", "--json").json
    assert listed.json["clients"][0]["role"] == "operator"
    assert added["token"] not in listed.out + call("clients", "list").out
    assert read_clients(file)["alice"].token == hashlib.sha256(rotated["token"].encode()).digest()
    assert read_clients(file)["alice"].bots == ("one", "two")
    assert call("clients", "remove", "alice").code == 0
    assert read_clients(file) == {}


def test_a_login_at_the_broker_is_handed_out_as_a_client_of_bots_reads_it(call: Call, tmp_path: Path) -> None:
    call("init")
    env = tmp_path / "alice.env"
    added = call("clients", "add", "alice", "--role", "viewer", "--broker", "--env-file", str(env), "--json").json

    assert env.stat().st_mode & 0o777 == 0o600
    assert read_env_file(env) == added["env"]
    assert (added["env"]["SIGNAL_GATEWAY_CLIENT"], added["env"]["SIGNAL_GATEWAY_MQTT_USERNAME"]) == ("alice", "alice")
    assert added["env"]["SIGNAL_GATEWAY_MQTT_PASSWORD"]
    assert "SIGNAL_GATEWAY_BOT" not in added["env"]
    again = call("clients", "rotate", "alice", "--json").json
    assert again["env"]["SIGNAL_GATEWAY_MQTT_PASSWORD"] != added["env"]["SIGNAL_GATEWAY_MQTT_PASSWORD"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["add", "a/b", "--role", "viewer"], 2, "a client's name"),
        (["add", "api", "--role", "viewer"], 2, "the gateway's own"),
        (["add", "bob", "--role", "root"], 2, "--role"),
        (["add", "bob", "--role", "admin", "--bots", "one"], 2, "--bots"),
        (["add", "bob", "--role", "viewer", "--bots", "a/b"], 2, "'a/b' is no bot's name"),
        (["add", "bob", "--role", "viewer", "--legacy"], 2, "--broker"),
        (["add", "alice", "--role", "viewer"], 1, "clients rotate alice"),
        (["add", "demo", "--role", "viewer"], 1, "bot demo"),
        (["rotate", "bob"], 1, "there is no client 'bob'"),
        (["remove", "bob"], 1, "there is no client 'bob'"),
    ],
)
def test_what_cannot_be_says_why(call: Call, arguments: list[str], code: int, words: str) -> None:
    call("init")
    call("clients", "add", "alice", "--role", "viewer")
    ended = call("clients", *arguments)

    assert ended.code == code
    assert words in ended.err


def test_a_bot_cannot_have_the_name_of_a_client(call: Call) -> None:
    call("init")
    call("clients", "add", "alice", "--role", "viewer")

    assert "there is a client alice" in call("bots", "add", "alice").err


def test_mosquittos_files_follow(call: Call, tmp_path: Path) -> None:
    call("init")
    (tmp_path / "pw").write_text("own")
    (tmp_path / "data/signal-gateway.yml").write_text(
        "broker: {kind: external, password_file: ../pw}\nmosquitto: {password_file: ../passwd, acl_file: ../acl}\n"
    )
    acl, begun = tmp_path / "acl", call("init")
    added = call("clients", "add", "alice", "--role", "operator", "--broker")

    assert "systemctl reload mosquitto" in begun.out
    assert call("init").out == "data has everything\n"
    assert "systemctl reload mosquitto" in added.out
    assert "user alice\ntopic write hbot/+/start\n" in acl.read_text()
    call("clients", "remove", "alice")
    assert "user alice" not in acl.read_text()

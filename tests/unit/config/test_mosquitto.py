"""Mosquitto's files: the real Mosquitto lets in whom they name, to what they allow."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.config.bots import put_bot
from gateway.config.clients import put_client, remove_client
from gateway.config.document import read
from gateway.config.folder import Folder
from gateway.config.load import load_document
from gateway.config.mosquitto import BEGIN, END, outdated, write_mosquitto
from gateway.config.passwords import hashed, matches
from gateway.config.settings import Settings
from gateway.config.summary import warnings
from gateway.roles import Role
from tests.brokers import MosquittoFactory, require

BOTS: dict[str, tuple[str, ...]] = {"one": ("tv",), "two": ()}
NOW = 1_795_352_101_000_000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = Folder(tmp_path, tmp_path / "c.yml")
    folder.secrets.mkdir()
    (tmp_path / "pw").write_text("own\n")
    text = "broker: {kind: external, password_file: pw}\nmosquitto: {password_file: passwd, acl_file: acl}\n"
    return load_document(read(text, file="c.yml"), folder, {})


def test_the_real_mosquitto_follows_the_files(settings: Settings, mosquitto: MosquittoFactory, tmp_path: Path) -> None:
    logins = {name: put_bot(settings.folder.bots, name, sources=sources, now=NOW) for name, sources in BOTS.items()}
    write_mosquitto(settings)
    passwords = tmp_path.parent / "mosquitto-passwords"
    shutil.copy(tmp_path / "passwd", passwords)
    passwords.chmod(0o644)
    broker = mosquitto(acl=(tmp_path / "acl").read_text(), options=(f"password_file {passwords}",))

    def client(name: str, user: str, password: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        program = require(name, package="mosquitto-clients")
        command = [program, "-p", str(broker.port), "-u", user, "-P", password, "-V", "5", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)

    def publish(user: str, password: str, topic: str) -> int:
        return client("mosquitto_pub", user, password, "-r", "-q", "1", "-t", topic, "-m", "x").returncode

    def read(user: str) -> list[str]:
        arguments = ("-W", "1", "-F", "%t", "-t", "signals/v1/trade/+/+")
        return sorted(client("mosquitto_sub", user, logins[user], *arguments).stdout.split())

    publish("gateway", "own", "signals/v1/trade/tv/BTC")
    publish("gateway", "own", "signals/v1/trade/other/BTC")
    publish("one", logins["one"], "signals/v1/trade/tv/FORGED")

    assert publish("one", "wrong", "signals/v1/receipt/one") != 0
    assert publish("nobody", "wrong", "signals/v1/receipt/one") != 0
    assert read("one") == ["signals/v1/trade/tv/BTC"]
    assert read("two") == ["signals/v1/trade/other/BTC", "signals/v1/trade/tv/BTC"]


def test_a_hash_is_the_one_that_mosquitto_passwd_makes(tmp_path: Path) -> None:
    program = require("mosquitto_passwd", package="mosquitto")
    file = tmp_path / "passwd"
    file.write_text("one:secret\n")
    subprocess.run([program, "-U", file], check=True)
    _, _, theirs = file.read_text().strip().partition(":")

    assert theirs.split("$")[1] == hashed("secret").split("$")[1] == "7"
    assert matches("secret", theirs)
    assert not matches("other", theirs)


def test_what_others_wrote_stays_and_ours_is_replaced(settings: Settings, tmp_path: Path) -> None:
    acl = tmp_path / "acl"
    acl.write_text("user theirs\ntopic read x/#")
    put_bot(settings.folder.bots, "one", sources=(), now=NOW)
    write_mosquitto(settings)
    acl.write_text(acl.read_text() + "user later\ntopic read y/#\n")
    put_bot(settings.folder.bots, "two", sources=(), now=NOW)
    write_mosquitto(settings)

    lines = acl.read_text().splitlines()
    assert lines[:5] == ["user theirs", "topic read x/#", "user later", "topic read y/#", BEGIN]
    assert lines[-1] == END
    assert [line for line in lines if line.startswith("user ")] == [
        "user theirs",
        "user later",
        "user gateway",
        "user one",
        "user two",
    ]


def test_a_client_with_a_login_is_in_the_files_and_one_without_is_not(settings: Settings, tmp_path: Path) -> None:
    for name, broker in (("alice", True), ("bob", False)):
        put_client(
            settings.folder.clients, name, role=Role.OPERATOR, bots=("one",), broker=broker, legacy=False, now=NOW
        )
    write_mosquitto(settings)

    assert "topic write hbot/one/stop" in (tmp_path / "acl").read_text().partition("user alice")[2]
    assert "user bob" not in (tmp_path / "acl").read_text()
    assert [line.partition(":")[0] for line in (tmp_path / "passwd").read_text().splitlines() if ":" in line[2:]][
        1:
    ] == [
        "alice",
        "gateway",
    ]


def test_files_that_lack_what_this_version_needs_are_named_with_what_to_do(settings: Settings, tmp_path: Path) -> None:
    put_bot(settings.folder.bots, "one", sources=(), now=NOW)
    write_mosquitto(settings)
    assert list(outdated(settings)) == []

    acl = tmp_path / "acl"
    acl.write_text(acl.read_text().replace("topic write hbot/+/stop\n", ""))
    (warning,) = outdated(settings)
    assert warning.startswith(f"{acl}: is older than this version")
    assert "signal-gateway init" in warning
    settings.folder.config.write_text("")
    assert warning in warnings(settings, {})
    write_mosquitto(settings)
    assert list(outdated(settings)) == []


def test_files_that_lack_a_login_or_are_not_there_are_named(settings: Settings, tmp_path: Path) -> None:
    assert len(list(outdated(settings))) == 2
    write_mosquitto(settings)
    put_bot(settings.folder.bots, "one", sources=(), now=NOW)
    assert len(list(outdated(settings))) == 2
    write_mosquitto(settings)
    assert list(outdated(settings)) == []
    (tmp_path / "pw").write_text("another\n")
    own = (tmp_path / "passwd").read_text()
    (tmp_path / "passwd").write_text(own.replace("gateway:$7$", "gateway:broken"))
    (warning,) = outdated(settings)
    assert warning.startswith(f"{tmp_path / 'passwd'}: ")


def test_a_client_that_was_removed_is_in_the_files_until_they_are_written_again(settings: Settings) -> None:
    put_client(settings.folder.clients, "alice", role=Role.VIEWER, bots=(), broker=True, legacy=False, now=NOW)
    write_mosquitto(settings)
    remove_client(settings.folder.clients, "alice")
    assert len(list(outdated(settings))) == 2
    write_mosquitto(settings)
    assert list(outdated(settings)) == []

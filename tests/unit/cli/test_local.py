"""The commands that need no running gateway."""

from __future__ import annotations

import fcntl
import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import bots
from gateway.cli.main import COMMANDS, cli
from gateway.config.keyring import KeyRing
from tests.unit.cli.conftest import Call


def test_init_prints_a_webhook_once_and_has_everything_the_second_time(call: Call, ports: dict[str, int]) -> None:
    first, second = call("init"), call("init")

    assert (first.code, second.code) == (0, 0)
    assert f"http://127.0.0.1:{ports['HTTP__PUBLIC']}/hooks/tradingview/sg_" in first.out
    assert second.out == "data has everything\n"


def test_a_rotated_webhook_works_and_the_old_one_does_not(call: Call, tmp_path: Path) -> None:
    old = call("init", "--json").json["webhooks"]["tradingview"].rpartition("/")[2]
    new = call("keys", "rotate", "tradingview", "--json").json["webhook"].rpartition("/")[2]
    ring = KeyRing(tmp_path / "data/secrets/keys.json", now=lambda: 0)

    assert ring.holds("tradingview", new)
    assert not ring.holds("tradingview", old)
    listed = call("keys", "list")
    assert "tradingview" in listed.out
    assert new not in listed.out


def test_a_first_key_of_a_kind_does_not_speak_of_an_old_one(call: Call) -> None:
    call("init")
    (first, second) = (call("keys", "rotate", "tradingview", "--signing").out for _ in range(2))
    others = call("keys", "rotate", "tradingview").out

    assert "old one" not in first
    assert "the old one does not work any more" in second
    assert "the old one does not work any more" in others
    assert "next start" not in first + second + others


def test_the_first_key_of_a_source_says_that_a_running_gateway_does_not_know_it(call: Call, tmp_path: Path) -> None:
    """Whoever makes it is about to post to it, and would be refused as if the key were wrong."""
    call("init")
    with (tmp_path / "data/signal-gateway.yml").open("a") as file:
        file.write("  late: {}\n")

    assert "next start" in call("keys", "rotate", "late").out


def test_check_names_every_error_and_ends_with_1(call: Call, tmp_path: Path) -> None:
    call("init")
    (tmp_path / "data/signal-gateway.yml").write_text("log: 1\nsource: {}\n")
    checked, as_json = call("check"), call("check", "--json")

    assert checked.code == as_json.code == 1
    assert checked.out.splitlines() == [
        "data/signal-gateway.yml:1: log is a section with settings below it",
        "data/signal-gateway.yml:2: source is not a setting; did you mean 'sources'?",
    ]
    assert [problem["key"] for problem in as_json.json["problems"]] == ["log", "source"]


def test_any_other_command_ends_with_4_for_a_wrong_configuration(call: Call) -> None:
    ended = call("keys", "rotate", "tradingview", "--json")

    assert ended.code == 4
    assert ended.error["code"] == "configuration"
    assert "signal-gateway init" in ended.error["message"]


def test_check_warns_about_variables_and_open_secrets(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("init")
    (tmp_path / "data/secrets/api.token").chmod(0o644)
    monkeypatch.setenv("SIGNAL_GATEWAY_PUBLIC_ULR", "https://x.example")
    checked = call("check")

    assert checked.code == 0
    assert "did you mean 'SIGNAL_GATEWAY_PUBLIC_URL'" in checked.out
    assert "chmod 600 data/secrets/api.token" in checked.out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nonsense"], 2),
        (["keys", "rotate"], 2),
        (["keys", "rotate", "tradingview", "--keep", "soon"], 2),
        (["keys", "rotate", "nobody"], 1),
        (["bots", "remove", "nobody"], 1),
        (["bots", "rotate", "nobody"], 1),
        (["bots", "add", "a/b"], 2),
        (["bots", "add", "predictions"], 2),
        (["bots", "add", "demo"], 1),
        (["bots", "add", "one", "--sources", "nobody"], 1),
        (["try", "nobody", "-"], 1),
        (["try", "tradingview", "nowhere.json"], 2),
        (["signals"], 3),
        (["send", "tradingview", "data/signal-gateway.yml"], 3),
        (["--help"], 0),
    ],
)
def test_the_exit_code_says_what_kind_of_end_it_was(call: Call, arguments: list[str], code: int) -> None:
    call("init")
    ended = call(*arguments)

    assert ended.code == code, ended
    assert ended.out if code == 0 else ended.err


def test_a_bot_is_added_listed_rotated_and_removed(call: Call, tmp_path: Path) -> None:
    call("init")
    added = call("bots", "add", "one", "--sources", "tradingview", "--json").json
    rotated = call("bots", "rotate", "one", "--env-file", "one.env")

    assert added["env"]["SIGNAL_GATEWAY_SOURCES"] == "tradingview"
    assert "in place of the instance_id and the mqtt_bridge that stand there" in " ".join(rotated.out.split())
    assert "mqtt_bridge:" in rotated.out
    assert "SIGNAL_GATEWAY_MQTT_PASSWORD=" in rotated.out
    assert added["env"]["SIGNAL_GATEWAY_MQTT_PASSWORD"] not in rotated.out
    assert (tmp_path / "one.env").stat().st_mode & 0o777 == 0o600
    assert [bot["name"] for bot in call("bots", "list", "--json").json["bots"]] == ["demo", "one"]
    removed = call("bots", "remove", "one", "--json").json
    assert not removed["forgotten"]
    assert "run signal-gateway bots remove one again while the gateway runs" in removed["left"][0]
    listed = call("bots", "list")
    assert listed.out.startswith("demo ")
    assert "the logins alone" in listed.err
    assert [bot["name"] for bot in call("bots", "list", "--json").json["bots"]] == ["demo"]


def test_a_name_that_is_no_bots_removes_no_file(call: Call, tmp_path: Path) -> None:
    call("init")
    outside = tmp_path / "outside.env"
    outside.write_text("")

    assert call("bots", "remove", "../../outside").code == 1
    assert outside.exists()


def test_a_rotated_demo_bot_keeps_its_file_up_to_date(call: Call, tmp_path: Path) -> None:
    call("init")
    file = tmp_path / "data/bots/demo.env"
    before = file.read_text()
    rotated = call("bots", "rotate", "demo", "--env-file", "other.env").out

    assert file.read_text() != before
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "other.env").read_text() == file.read_text()
    assert [line for line in rotated.splitlines() if line.startswith("renewed ")] == [
        "renewed data/bots/demo.env",
        "renewed other.env",
    ]
    assert "if bot demo runs, restart it with the new login" in rotated


def test_a_removed_bots_file_is_named_and_so_is_what_becomes_of_its_connection(call: Call) -> None:
    call("init")
    call("bots", "add", "one")
    removed, without_file = call("bots", "remove", "demo").out, call("bots", "remove", "one").out

    assert "removed data/bots/demo.env" in removed.splitlines()
    assert "bot demo has no login any more: if it runs, it loses its connection" in removed
    assert "removed " not in without_file


@pytest.mark.parametrize("change", [("add", "two"), ("rotate", "one"), ("remove", "one")], ids=" ".join)
def test_what_is_there_its_change_and_what_is_written_for_it_are_one_step_for_other_commands(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str]
) -> None:
    call("init")
    call("bots", "add", "one")
    locked = []

    def watched(step: Callable[..., Any]) -> Callable[..., Any]:
        def watch(*arguments: Any, **more: Any) -> Any:
            with (tmp_path / "data/secrets/.changes.lock").open("a") as other:
                try:
                    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    locked.append(False)
                except BlockingIOError:
                    locked.append(True)
            return step(*arguments, **more)

        return watch

    for step in ("read_bots", "put_bot", "remove_bot", "tell_broker"):
        monkeypatch.setattr(bots, step, watched(getattr(bots, step)))

    assert call("bots", *change).code == 0
    assert len(locked) >= 2
    assert all(locked)


def test_a_taken_port_names_its_holder_and_the_setting(call: Call, ports: dict[str, int]) -> None:
    call("init")
    with socket.create_server(("127.0.0.1", ports["HTTP__PRIVATE"])):
        ended = call("run")

    assert ended.code == 4
    assert f"127.0.0.1:{ports['HTTP__PRIVATE']} is taken by" in ended.err
    assert "(pid " in ended.err
    assert "change http.private.port (SIGNAL_GATEWAY_HTTP__PRIVATE__PORT)" in ended.err


def test_try_shows_the_topics_and_changes_nothing(call: Call, tmp_path: Path) -> None:
    call("init")
    body = tmp_path / "alert.json"
    body.write_text('{"ticker": "BINANCE:BTCUSDT", "action": "buy", "quantity": "0.5"}')
    tried = call("try", "tradingview", str(body), "--json")

    assert tried.code == 0, tried.err
    assert tried.json["would_publish"][0]["topic"] == "signals/v1/trade/tradingview/BTC-USDT"
    assert tried.json["would_publish"][0]["payload"]["data"]["action"] == "buy"
    assert list((tmp_path / "data/journal").iterdir()) == []


def test_try_shows_the_cause_of_a_refusal_with_a_caret_and_ends_with_1(call: Call, tmp_path: Path) -> None:
    call("init")
    body = tmp_path / "alert.json"
    body.write_text('{"ticker": "BTCUSDT",\n "action": "buy", "quantity": NaN}')
    ended, as_json = call("try", "tradingview", str(body)), call("try", "tradingview", str(body), "--json")

    assert ended.code == as_json.code == 1
    line, caret = ended.err.splitlines()[-2:]
    assert line[caret.index("^") :].startswith("NaN")
    assert as_json.error["faults"][0]["line"] == 2


def test_every_command_explains_itself_without_an_error(call: Call) -> None:
    for name in COMMANDS:
        assert call(name, "--help").code == 0
    named = {"init", "run", "check", "try", "send", "listen", "signals", "withdraw", "bots", "keys", "notify"}
    assert set(COMMANDS) == named | {
        "clients",
        "schemas",
        "health",
        "doctor",
        "broker-acl",
        "emqx",
        "backup",
        "restore",
    }
    assert "Exit codes" in (cli.help or "")


def test_python_m_gateway_is_the_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gateway", "init", "--data", str(tmp_path / "d"), "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)

    assert list(json.loads(ended.stdout)["webhooks"]) == ["tradingview"]
    assert ended.stderr == ""


@pytest.fixture
def predicting(call: Call, tmp_path: Path) -> Path:
    """A data folder with a source of predictions beside the one of trades."""
    call("init")
    config = tmp_path / "data/signal-gateway.yml"
    config.write_text("sources: {tradingview: {}, ml: {type: prediction, models: [btc-lstm], interval: 5m}}\n")
    return config


def test_init_prints_the_token_of_a_source_of_predictions(call: Call, predicting: Path, ports: dict[str, int]) -> None:
    """A source of predictions gets a token and the address to post to, once, and no webhook."""
    first, second = call("init", "--json").json, call("init").out

    assert first["webhooks"] == {}
    assert first["tokens"]["ml"].startswith("sg_")
    assert second == "data has everything\n"
    predicting.with_name("secrets").joinpath("keys.json").unlink()
    assert f"for POST http://127.0.0.1:{ports['HTTP__PUBLIC']}/v1/predictions/ml" in call("init").out


def test_keys_rotate_makes_tokens_and_signing_secrets(call: Call, predicting: Path, tmp_path: Path) -> None:
    """A rotated token opens the source, a signing secret is no token, and the list shows neither."""
    token = call("keys", "rotate", "ml", "--json").json["token"]
    made = call("keys", "rotate", "ml", "--signing", "--json").json
    ring = KeyRing(tmp_path / "data/secrets/keys.json", now=lambda: 0)

    assert ring.holds("ml", token)
    assert made["signing_secret"].startswith("whsec_")
    assert made["url"].endswith("/v1/predictions/ml")
    listed = call("keys", "list")
    assert [row["kind"] for row in call("keys", "list", "--json").json["keys"] if row["source"] == "ml"] == [
        "token",
        "signing",
    ]
    assert token not in listed.out
    assert made["signing_secret"] not in listed.out
    assert "for POST" in call("keys", "rotate", "ml").out
    assert call("keys", "rotate", "tradingview", "--signing", "--json").json["url"].endswith("/v1/signals/tradingview")


def test_try_says_what_would_become_of_a_prediction(call: Call, predicting: Path, tmp_path: Path) -> None:
    """A good prediction has its topic, and each fault of a bad one its place."""
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text('{"pair": "BTC-USDT", "probabilities": {"long": 1}}')
    bad.write_text('{"pair": "BTC-USDT", "probabilities": {"long": 2}, "model": "nobody"}')
    tried = call("try", "ml", str(good), "--json").json

    assert [entry["topic"] for entry in tried["would_publish"]] == ["signals/v1/prediction/ml/BTC-USDT"]
    refused = call("try", "ml", str(bad))
    assert refused.code == 1
    assert "model.name" in refused.err
    assert "probabilities.long" in refused.err

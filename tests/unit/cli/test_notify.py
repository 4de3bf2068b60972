"""``notify test``: each target is asked, and the command says which of them can be told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import free_port
from tests.receiver import Receiver, receiving
from tests.unit.cli.conftest import Call


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def configure(folder: Path, *urls: str) -> None:
    (folder / "data/signal-gateway.yml").write_text(f"notify: {{targets: [{', '.join(map(repr, urls))}]}}\n")


def test_each_target_gets_a_message_and_no_gateway_need_run(call: Call, tmp_path: Path, receiver: Receiver) -> None:
    call("init")
    configure(tmp_path, receiver.url, receiver.url)
    ended = call("notify", "test")

    assert ended.code == 0
    assert ended.out.splitlines() == [f"target {number}, json://127.0.0.1: accepted" for number in (1, 2)]
    assert [one["title"] for one in receiver.received] == ["signal-gateway: test"] * 2


def test_a_target_that_refuses_or_is_away_is_named_with_its_reason_and_the_command_ends_with_1(
    call: Call, tmp_path: Path, receiver: Receiver
) -> None:
    call("init")
    receiver.status = 403
    configure(tmp_path, receiver.url, f"json://127.0.0.1:{free_port()}/secret")
    ended, as_json = call("notify", "test"), call("notify", "test", "--json")

    assert ended.code == as_json.code == 1
    assert ended.out.splitlines() == [
        "target 1, json://127.0.0.1: it answered 403 Forbidden",
        "target 2, json://127.0.0.1: it cannot be reached, or did not answer in time",
    ]
    assert as_json.json["ok"] is False
    assert as_json.json["targets"][0] == {
        "target": 1,
        "name": "target 1, json://127.0.0.1",
        "problem": "it answered 403 Forbidden",
    }
    assert "secret" not in ended.out + ended.err + as_json.out


def test_one_target_can_be_asked_alone(call: Call, tmp_path: Path, receiver: Receiver) -> None:
    call("init")
    configure(tmp_path, f"json://127.0.0.1:{free_port()}/", receiver.url)
    ended, none = call("notify", "test", "--target", "2"), call("notify", "test", "--target", "3")

    assert (ended.code, ended.out) == (0, "target 2, json://127.0.0.1: accepted\n")
    assert (none.code, none.err) == (1, "there is no target 3: there are 1 to 2\n")
    assert len(receiver.received) == 1


def test_where_nobody_is_to_be_told_the_command_says_so(call: Call) -> None:
    call("init")
    ended = call("notify", "test")

    assert ended.code == 1
    assert "notify.targets is empty" in ended.err


def test_check_names_the_targets_and_what_apprise_cannot_use(call: Call, tmp_path: Path, receiver: Receiver) -> None:
    call("init")
    configure(tmp_path, receiver.url)
    assert "notify        target 1, json://127.0.0.1" in call("check").out
    configure(tmp_path, "bogus://hunter2")
    ended = call("check")

    assert ended.code == 1
    assert "data/signal-gateway.yml:1: notify.targets[0].url is no URL that apprise can use" in ended.out
    assert "hunter2" not in ended.out + ended.err
    assert receiver.received == []


def test_a_command_that_tells_nobody_does_not_load_apprise(call: Call, tmp_path: Path) -> None:
    call("init")
    configure(tmp_path, "json://127.0.0.1/")
    script = (
        "import sys; from gateway.__main__ import main\n"
        "try: main(['keys', 'list', '--data', 'data'])\n"
        "finally: print('apprise' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.stdout.splitlines()[-1] == "False"


def test_without_apprise_check_and_run_say_what_to_install(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("init")
    configure(tmp_path, "json://127.0.0.1/")
    monkeypatch.setitem(sys.modules, "apprise", None)

    assert "pip install 'signal-gateway[notify]'" in call("check").out
    ended = call("run")
    assert ended.code == 4
    assert "pip install 'signal-gateway[notify]'" in ended.err

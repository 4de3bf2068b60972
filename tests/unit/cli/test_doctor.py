"""``doctor``: what it prints, how it ends, and whose login it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.doctor.seen import Kept
from tests.brokers import MosquittoFactory
from tests.unit.cli.conftest import Call


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A synchronised one, whatever this machine's is."""
    monkeypatch.setattr("gateway.doctor.house._synchronised", lambda: True)


@pytest.fixture
def _kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds to see has been seen."""

    async def see_kept(*_: object) -> Kept:
        return Kept(sent=1, acknowledged=1, came=1, session_present=True, expired_came=False)

    monkeypatch.setattr("gateway.doctor.examination.see_kept", see_kept)


@pytest.fixture
def external(call: Call, mosquitto: MosquittoFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Mosquitto whose logins and permissions ``init`` writes; its ACL file."""
    files = {name: tmp_path / name for name in ("passwd", "acl")}
    for file in files.values():
        file.write_text("")
        file.chmod(0o600)
    (tmp_path / "gateway.password").write_text("password-of-the-gateway")
    (tmp_path / "gateway.password").chmod(0o600)
    for name, value in {
        "BROKER__KIND": "external",
        "BROKER__PASSWORD_FILE": tmp_path / "gateway.password",
        "MOSQUITTO__PASSWORD_FILE": files["passwd"],
        "MOSQUITTO__ACL_FILE": files["acl"],
    }.items():
        monkeypatch.setenv(f"SIGNAL_GATEWAY_{name}", str(value))
    call("init")
    options = (f"password_file {files['passwd']}", f"acl_file {files['acl']}", "autosave_interval 1")
    broker = mosquitto(anonymous=False, options=options, persistent=True)
    monkeypatch.setenv("SIGNAL_GATEWAY_BROKER__PORT", str(broker.port))
    (tmp_path / "mosquitto.conf").write_text(Path(broker._configuration).read_text())
    return files["acl"]


def test_what_init_writes_for_mosquitto_is_well_and_ends_with_0(call: Call, external: Path) -> None:
    ended = call("doctor", "--mosquitto-conf", "mosquitto.conf")

    assert ended.out.splitlines()[-1] == "nothing to mend"
    assert (ended.code, ended.err) == (0, "")
    assert "bot demo hears and says nothing of others" in ended.out


@pytest.mark.usefixtures("_kept")
def test_findings_are_lines_with_their_cures_and_end_with_1(call: Call, external: Path) -> None:
    ended = call("doctor", "--mosquitto-conf", write("persistence false\n"))

    assert ended.code == 1
    assert ended.out.startswith("SIGNALS       Mosquitto writes nothing to its disk")
    assert ended.out.splitlines()[1].strip().startswith("cure: bad.conf:1: persistence true")
    assert ended.out.splitlines()[-1] == "1 to mend"


@pytest.mark.usefixtures("_kept")
def test_a_document_has_findings_and_the_rest_apart(call: Call, external: Path) -> None:
    document = call("doctor", "--json", "--mosquitto-conf", write("persistence false\n")).json

    assert document["examined"] is True
    assert [entry["code"] for entry in document["findings"]] == ["persistence"]
    assert {"grade", "code", "says", "cure"} == set(document["findings"][0])
    assert "queue" in {entry["code"] for entry in document["others"]}


def test_a_broker_that_is_away_ends_with_3_and_what_to_do(call: Call) -> None:
    call("init")
    ended = call("doctor")

    assert ended.code == 3
    assert ended.out.startswith("STOPPED       the broker at 127.0.0.1:")
    assert "signal-gateway run" in ended.out.splitlines()[0]
    assert call("doctor", "--json").json["examined"] is False


@pytest.mark.usefixtures("_kept")
def test_another_bots_login_comes_from_a_file_with_its_password(call: Call, external: Path) -> None:
    added = call("bots", "add", "scalper", "--json").json
    Path("scalper.password").write_text(added["env"]["SIGNAL_GATEWAY_MQTT_PASSWORD"])
    refused = call("doctor", "--bot", "scalper")
    ended = call("doctor", "--bot", "scalper", "--password-file", "scalper.password")

    assert refused.code == 4
    assert "--password-file" in refused.err
    assert "broker refuses the login of scalper" in ended.out  # Mosquitto was not told to read its files again


def write(text: str) -> str:
    Path("bad.conf").write_text(text)
    return "bad.conf"

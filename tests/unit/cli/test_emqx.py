"""With an external EMQX, the commands that change logins put them there, and say what is wrong when they cannot."""

from __future__ import annotations

import hashlib
import json
import ssl
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.config.emqx import database_rules
from gateway.config.permissions import gateway_permissions, permissions
from schemas.topics import Topics
from tests.brokers import free_port
from tests.certificates import Authority
from tests.emqx_rules import rules_of
from tests.emqx_server import Emqx, serving
from tests.unit.cli.conftest import Call

TOPICS = Topics()
KEY = "signal-gateway:secret"


@pytest.fixture
def emqx(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emqx]:
    """A running EMQX, and a data folder that knows it."""
    with serving(Emqx()) as running:
        monkeypatch.delenv("SIGNAL_GATEWAY_BROKER__PORT")
        secrets = tmp_path / "data" / "secrets"
        secrets.mkdir(parents=True, mode=0o700)
        (secrets / "emqx.key").write_text(KEY + "\n")
        (secrets / "emqx.key").chmod(0o600)
        (tmp_path / "data" / "signal-gateway.yml").write_text(
            "broker: {kind: external, password_file: secrets/gateway-broker.password}\n"
            f"emqx: {{url: '{running.url}', key_file: secrets/emqx.key}}\n"
            "sources: {tv: {}, other: {}}\n"
        )
        assert call("init").code == 0
        yield running


def opens(row: dict[str, str], password: str) -> bool:
    """Whether a row of EMQX's table is that of a password."""
    derived = hashlib.pbkdf2_hmac("sha512", password.encode(), row["salt"].encode(), 101, dklen=64)
    return derived.hex() == row["password_hash"]


def test_push_puts_everybody_there_and_nothing_a_second_time(call: Call, emqx: Emqx, tmp_path: Path) -> None:
    first = call("emqx", "push", "--json").json
    asked = len(emqx.asked)
    second = call("emqx", "push")

    assert first == {"put": ["demo", "gateway"], "removed": [], "left": []}
    assert set(emqx.users) == set(emqx.rules) == {"demo", "gateway"}
    own = (tmp_path / "data/secrets/gateway-broker.password").read_text().strip()
    assert opens(emqx.users["gateway"], own)
    assert emqx.rules["gateway"] == database_rules(gateway_permissions(TOPICS))
    assert second.out == "EMQX has everything\n"
    assert all(one.startswith("GET ") for one in emqx.asked[asked:])


def test_push_all_puts_everybody_there_again(call: Call, emqx: Emqx) -> None:
    call("emqx", "push")
    emqx.users.clear()
    emqx.rules.clear()
    emqx.clients["x"] = "demo"

    assert call("emqx", "push", "--all", "--json").json["put"] == ["demo", "gateway"]
    assert set(emqx.users) == set(emqx.rules) == {"demo", "gateway"}
    assert emqx.clients == {"x": "demo"}


def test_a_bot_that_is_added_has_its_login_and_its_own_rules_in_emqx(call: Call, emqx: Emqx) -> None:
    added = call("bots", "add", "one", "--sources", "tv", "--json").json

    assert opens(emqx.users["one"], added["env"]["SIGNAL_GATEWAY_MQTT_PASSWORD"])
    assert emqx.rules["one"] == database_rules(permissions("one", ("tv",), TOPICS))
    assert emqx.rules["one"][-1] == {"permission": "deny", "action": "all", "topic": "#"}


def test_rules_are_there_before_the_login_is(call: Call, emqx: Emqx) -> None:
    call("emqx", "push")
    before = len(emqx.asked)
    call("bots", "add", "one")
    changes = [one for one in emqx.asked[before:] if not one.startswith("GET ")]

    assert [one.partition(" ")[0] for one in changes] == ["PUT", "POST"]


def test_a_rotated_bot_has_another_password_there_and_loses_its_connections(call: Call, emqx: Emqx) -> None:
    call("bots", "add", "one")
    old = emqx.users["one"]
    emqx.clients |= {"one:a": "one", "one:b": "one", "two:a": "two"}
    rotated = call("bots", "rotate", "one", "--json").json

    assert emqx.users["one"] != old
    assert opens(emqx.users["one"], rotated["env"]["SIGNAL_GATEWAY_MQTT_PASSWORD"])
    assert emqx.clients == {"two:a": "two"}


def test_a_removed_bot_has_nothing_there_and_its_connections_end_before_its_rules(call: Call, emqx: Emqx) -> None:
    call("bots", "add", "one")
    emqx.clients |= {"one:a": "one"}
    before = len(emqx.asked)
    removed = call("bots", "remove", "one")

    assert removed.code == 0
    assert "one" not in {**emqx.users, **emqx.rules}
    assert emqx.clients == {}
    changes = [one.replace("password_based:built_in_database", "") for one in emqx.asked[before:] if one[:3] != "GET"]
    assert [one.split("/")[1] for one in changes] == ["authentication", "clients", "authorization"]


def test_a_bot_that_emqx_lost_already_is_removed_all_the_same(call: Call, emqx: Emqx) -> None:
    call("bots", "add", "one")
    emqx.users.clear()
    emqx.rules.clear()

    assert call("bots", "remove", "one").code == 0
    assert call("emqx", "push", "--json").json == {"put": [], "removed": [], "left": []}


def test_a_client_with_a_login_is_in_emqx_and_one_without_is_not(call: Call, emqx: Emqx) -> None:
    assert call("clients", "add", "alice", "--role", "operator", "--broker").code == 0
    assert call("clients", "add", "bob").code == 0

    assert "alice" in emqx.users
    assert "bob" not in emqx.users
    assert call("clients", "remove", "alice").code == 0
    assert "alice" not in {**emqx.users, **emqx.rules}


@pytest.mark.parametrize("change", [("add", "two"), ("rotate", "one"), ("remove", "one")])
def test_while_emqx_is_away_nothing_is_changed(call: Call, emqx: Emqx, tmp_path: Path, change: tuple[str, str]) -> None:
    call("bots", "add", "one")
    kept = (tmp_path / "data/secrets/bots.json").read_bytes()
    config = tmp_path / "data/signal-gateway.yml"
    config.write_text(config.read_text().replace(emqx.url, f"http://127.0.0.1:{free_port()}"))
    ended = call("bots", *change)

    assert ended.code == 3
    assert "no EMQX answers at http://127.0.0.1:" in ended.err
    assert "nothing was changed" in ended.err
    assert (tmp_path / "data/secrets/bots.json").read_bytes() == kept


RULES = "/authorization/sources/built_in_database"


@pytest.mark.parametrize(
    ("asked", "answer", "code", "words"),
    [
        (("GET", RULES), (401, {"code": "BAD_API_KEY_OR_SECRET"}), 3, "refuses the key in"),
        (("GET", RULES), (403, {"code": "UNAUTHORIZED_ROLE"}), 1, "needs the role administrator"),
        (("GET", RULES), (404, {"code": "NOT_FOUND"}), 1, "has no built_in_database for authorization"),
        (("GET", ":built_in_database"), (404, {"code": "NOT_FOUND"}), 1, "has no built_in_database for authentication"),
        (("PUT", "/two"), (400, {"code": "BAD_REQUEST", "message": "bad rule"}), 1, "400: BAD_REQUEST bad rule"),
        (("POST", "/import_users"), (409, {"code": "ALREADY_EXISTS"}), 1, "answered 409: ALREADY_EXISTS"),
        (("POST", "/import_users"), (200, {"total": 1, "failed": 1}), 1, "took all but 1 of the logins"),
        (("POST", "/import_users"), (500, b"<html>"), 1, "answered 500;"),
        (("GET", "/clients"), (200, b"<html>"), 3, "is no EMQX"),
    ],
)
def test_what_emqx_answers_is_said_with_what_to_do(
    call: Call, emqx: Emqx, asked: tuple[str, str], answer: tuple[int, object], *, code: int, words: str
) -> None:
    call("emqx", "push")
    emqx.answer[asked] = answer
    ended = call("bots", "add", "two", "--json")

    assert ended.code == code, ended
    assert words in ended.error["message"]
    assert ("nothing was changed" in ended.error["message"]) == (asked[0] == "GET" and asked[1] != "/clients")


def test_what_emqx_did_not_take_is_warned_of_and_pushed_later(call: Call, emqx: Emqx) -> None:
    call("emqx", "push")
    emqx.answer["PUT", "/two"] = (500, None)
    failed = call("bots", "add", "two")
    emqx.answer.clear()

    assert failed.code == 1
    assert "signal-gateway emqx push" in failed.err
    warning = "emqx: does not have as they are now the logins two: run signal-gateway emqx push"
    assert warning in call("check").out
    assert "run signal-gateway emqx push" in [one["cure"] for one in call("doctor", "--json").json["findings"]]
    assert call("emqx", "push", "--json").json == {"put": ["two"], "removed": [], "left": []}
    assert warning not in call("check").out


def test_a_removal_that_emqx_did_not_take_is_done_by_push(call: Call, emqx: Emqx) -> None:
    call("bots", "add", "one")
    emqx.answer["DELETE", "/users/one"] = (503, None)
    assert call("bots", "remove", "one").code == 1
    emqx.answer.clear()

    assert "one (removed)" in call("check").out
    assert call("emqx", "push", "--json").json == {"put": [], "removed": ["one"], "left": []}
    assert "one" not in {**emqx.users, **emqx.rules}


def test_an_older_emqx_that_does_not_count_what_it_took_will_do(call: Call, emqx: Emqx) -> None:
    emqx.counts_imports = False

    assert call("emqx", "push").code == 0
    assert set(emqx.users) == {"demo", "gateway"}


def test_a_login_of_an_older_version_is_left_for_its_owner_and_keeps_nobody_else_out(
    call: Call, emqx: Emqx, tmp_path: Path
) -> None:
    file = tmp_path / "data/secrets/bots.json"
    kept = json.loads(file.read_text())
    _, _, rounds, _, derived = kept["bots"]["demo"]["password"].split("$")
    kept["bots"]["demo"]["password"] = f"$7${rounds}${b64encode(bytes(12)).decode()}${derived}"
    file.write_text(json.dumps(kept))
    added = call("bots", "add", "one")

    assert added.code == 0
    assert set(emqx.users) == {"gateway", "one"}
    left = (
        "left to do: demo has a password of an older version, which EMQX cannot check: signal-gateway bots rotate demo"
    )
    assert left in added.out
    assert left in call("emqx", "push").out
    assert "demo" in call("check").out
    assert call("bots", "rotate", "demo").code == 0
    assert set(emqx.users) == {"demo", "gateway", "one"}


def test_who_has_more_than_a_page_of_connections_loses_all(call: Call, emqx: Emqx) -> None:
    call("bots", "add", "one")
    emqx.clients |= {f"one:{number}": "one" for number in range(2500)}
    call("bots", "rotate", "one")

    assert emqx.clients == {}


def test_a_key_that_is_not_there_is_named_with_what_makes_it(call: Call, emqx: Emqx, tmp_path: Path) -> None:
    (tmp_path / "data/secrets/emqx.key").unlink()
    ended = call("emqx", "push")

    assert ended.code == 4
    assert "secrets/emqx.key cannot be read or is empty: signal-gateway emqx files DIR makes it" in ended.err


def test_without_the_section_the_commands_say_what_is_missing(call: Call) -> None:
    call("init")
    for arguments in (("push",), ("files", "x")):
        ended = call("emqx", *arguments)
        assert ended.code == 4
        assert "has no section emqx:" in ended.err


def test_the_key_is_in_no_output_and_an_open_file_of_it_is_warned_of(call: Call, emqx: Emqx, tmp_path: Path) -> None:
    emqx.key = "another:one"
    ended = call("emqx", "push")
    (tmp_path / "data/secrets/emqx.key").chmod(0o644)

    assert ended.code == 3
    assert "secret" not in ended.err.replace("secrets/emqx.key", "")
    assert "chmod 600 data/secrets/emqx.key" in call("check").out


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("emqx: {url: 'http://127.0.0.1:1', key_file: k}", "emqx: is for another broker than broker.kind: embedded"),
        ("broker: {kind: external}\nemqx: {key_file: k}", "emqx.url is missing"),
        ("broker: {kind: external}\nemqx: {url: 'http://u:p@h', key_file: k}", "emqx.url is an address such as"),
        ("broker: {kind: external}\nemqx: {url: 'http://h:1/api', key_file: k}", "emqx.url is an address such as"),
        (
            "broker: {kind: external}\nmosquitto: {password_file: a, acl_file: b}\nemqx: {url: http://h, key_file: k}",
            "emqx: is for another broker than mosquitto",
        ),
    ],
)
def test_a_section_that_cannot_be_is_named(call: Call, tmp_path: Path, settings: str, problem: str) -> None:
    call("init")
    (tmp_path / "data/signal-gateway.yml").write_text(settings + "\n")

    assert problem in call("check").out


def test_http_to_another_machine_is_warned_of(call: Call, emqx: Emqx, tmp_path: Path) -> None:
    config = tmp_path / "data/signal-gateway.yml"
    config.write_text(config.read_text().replace(emqx.url, "http://emqx.example:18083"))

    assert "emqx.url: the key travels unencrypted" in call("check").out


def test_over_tls_the_key_goes_to_an_emqx_that_the_authority_signed_and_to_no_other(
    call: Call, emqx: Emqx, tmp_path: Path
) -> None:
    signed = Authority(tmp_path).sign("emqx.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed.cert, signed.key)
    config = tmp_path / "data/signal-gateway.yml"
    plain = config.read_text()
    with serving(Emqx(), tls=context) as secure:
        config.write_text(plain.replace(emqx.url, secure.url).replace("emqx.key}", "emqx.key, ca: ../authority.crt}"))
        trusted = call("emqx", "push")
        config.write_text(plain.replace(emqx.url, secure.url))
        asked = len(secure.asked)
        untrusted = call("emqx", "push", "--all")

    assert (trusted.code, set(secure.users)) == (0, {"demo", "gateway"})
    assert (untrusted.code, len(secure.asked)) == (3, asked)
    assert "certificate verify failed" in untrusted.err


def test_an_authority_that_is_none_is_named(call: Call, emqx: Emqx, tmp_path: Path) -> None:
    config = tmp_path / "data/signal-gateway.yml"
    config.write_text(config.read_text().replace("http:", "https:").replace("emqx.key}", "emqx.key, ca: ca.crt}"))
    missing = call("emqx", "push")
    (tmp_path / "data/ca.crt").write_text("no certificate")
    junk = call("emqx", "push")

    for ended in (missing, junk):
        assert ended.code == 4
        assert "emqx.ca: data/ca.crt cannot be read, or holds no certificate" in ended.err


def test_an_emqx_that_does_not_end_connections_is_not_asked_for_ever(call: Call, emqx: Emqx) -> None:
    call("bots", "add", "one")
    emqx.answer["POST", "/kickout/bulk"] = (204, None)
    emqx.answer["GET", "/clients"] = (200, {"data": [{"clientid": f"one:{number}"} for number in range(1000)]})

    assert "does not end the connections of one" in call("bots", "rotate", "one").err


def test_a_file_that_cannot_be_written_changes_no_login(call: Call, emqx: Emqx, tmp_path: Path) -> None:
    call("bots", "add", "one")
    call("clients", "add", "person", "--broker")
    secrets = [tmp_path / "data/secrets" / name for name in ("bots.json", "clients.json")]
    before, asked = [file.read_text() for file in secrets], len(emqx.asked)
    to = ("--env-file", "not/there.env")
    ended = [
        call(*command, *to)
        for command in (("bots", "add", "two"), ("bots", "rotate", "one"), ("clients", "add", "x", "--broker"))
    ]
    ended.append(call("clients", "rotate", "person", *to))

    assert [one.code for one in ended] == [4, 4, 4, 4]
    assert all("not/there.env: cannot be written" in one.err for one in ended)
    assert ([file.read_text() for file in secrets], len(emqx.asked)) == (before, asked)


def test_a_folder_that_others_may_enter_gets_no_keys(call: Call, emqx: Emqx, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir(mode=0o755)
    ended = call("emqx", "files", "shared")

    assert ended.code == 4
    assert "shared: others may enter it" in ended.err
    assert list((tmp_path / "shared").iterdir()) == []
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o755


def test_files_are_fresh_once_and_let_the_gateway_alone_in(call: Call, emqx: Emqx, tmp_path: Path) -> None:
    (tmp_path / "data/secrets/emqx.key").unlink()
    call("emqx", "files", "x")
    names = ("api-keys", "emqx.env", "prometheus.password", "acl.conf", "users.csv")
    before = {name: (tmp_path / "x" / name).read_text() for name in names}
    emqx.key = (tmp_path / "data/secrets/emqx.key").read_text().strip()
    call("bots", "add", "one")
    again = call("emqx", "files", "x", "--json").json["files"]
    after = {name: (tmp_path / "x" / name).read_text() for name in names}

    assert [Path(file).name for file in again] == [
        "emqx.key",
        "emqx.env",
        "prometheus.password",
        "acl.conf",
        "users.csv",
        "api-keys",
    ]
    assert [before[name] == after[name] for name in names] == [True, True, True, True, False]
    assert after["api-keys"].splitlines()[0] == f"{emqx.key}:administrator"
    assert after["api-keys"].splitlines()[1] == f"prometheus:{after['prometheus.password'].strip()}:viewer"
    assert {line.partition("=")[0] for line in after["emqx.env"].splitlines()} == {
        "EMQX_NODE__COOKIE",
        "EMQX_DASHBOARD__DEFAULT_PASSWORD",
    }
    assert {rule.username for rule in rules_of(after["acl.conf"])} == {"gateway", None}
    assert [line.partition(",")[0] for line in after["users.csv"].splitlines()] == ["user_id", "gateway"]
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "x/emqx.env").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "data/secrets/emqx.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("broker", ["emqx", "mosquitto", "embedded"])
def test_broker_acl_prints_everybodys_permissions_in_a_brokers_words(call: Call, broker: str) -> None:
    call("init")
    call("bots", "add", "one", "--sources", "tradingview")
    printed, document = call("broker-acl", "--for", broker).out, call("broker-acl", "--for", broker, "--json").json

    assert set(document) == {"demo", "gateway", "one"}
    assert "signals/v1/trade/tradingview/+" in document["one"]["subscribe"]
    topics = [topic for may in document.values() for topics in may.values() for topic in topics]
    assert all(topic in printed for topic in topics)
    begins = {"emqx": "{allow, ", "mosquitto": "user demo\ntopic write ", "embedded": "demo\n  publish "}
    assert printed.startswith(begins[broker])
    assert ("{deny, all}." in printed) == (broker == "emqx")


def test_broker_acl_without_a_broker_names_those_that_there_are(call: Call) -> None:
    """What is missing and its choices are told on one line, with no control character spelled out."""
    ended = call("broker-acl")

    assert ended.code == 2
    assert "Missing option '--for'. Choose from: emqx, mosquitto, embedded" in " ".join(ended.err.split())

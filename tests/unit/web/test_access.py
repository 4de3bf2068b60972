"""The API's door: a key, our own name, our own pages."""

from __future__ import annotations

import hashlib

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.errors import Misconfigured, Unauthorised
from gateway.roles import Caller, Role
from gateway.web.access import ApiKeys, Gate
from gateway.web.problem import Problem
from gateway.web.settings import PrivateSettings

KEYS = ApiKeys({"cli": hashlib.sha256(b"s3cret").digest(), "ops": hashlib.sha256(b"other").digest()})


def admit(gate: Gate, **headers: str) -> str:
    named = {"Host": "localhost:8081", "Authorization": "Bearer s3cret"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    return gate.admit(make_mocked_request("GET", "/api/v1/status", headers=named)).name


@pytest.fixture
def gate() -> Gate:
    return Gate(PrivateSettings(hosts=("gw.example",)), keys=KEYS)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:8081", "[::1]:8081", "[::1]", "gw.example", "GW.example:443"]
)
def test_our_own_names_are_answered(gate: Gate, host: str) -> None:
    assert admit(gate, Host=host) == "cli"


@pytest.mark.parametrize(
    "host", ["evil.example", "", "localhost.evil.example", "evil@x", "[", "10.0.0.1", "gw.example.", ":80"]
)
def test_another_name_is_refused_before_any_key_is_looked_at(gate: Gate, host: str) -> None:
    with pytest.raises(Problem) as refused:
        admit(gate, Host=host)
    assert refused.value.code == "forbidden_host"


@pytest.mark.parametrize("origin", ["http://localhost:8081", "https://localhost:8081"])
def test_our_own_page_may_use_the_api(gate: Gate, origin: str) -> None:
    assert admit(gate, Origin=origin) == "cli"


@pytest.mark.parametrize(
    "origin", ["null", "http://evil.example", "http://localhost", "http://localhost:8082", "", "x"]
)
def test_another_page_may_not(gate: Gate, origin: str) -> None:
    with pytest.raises(Problem) as refused:
        admit(gate, Origin=origin)
    assert refused.value.code == "forbidden_origin"


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer ", "Bearer wrong", "Basic s3cret", "s3cret", "Bearer s3cret x", "Bearer é"]
)
def test_without_a_valid_key_nobody_gets_in(gate: Gate, shown: str) -> None:
    with pytest.raises(Unauthorised):
        admit(gate, Authorization=shown)


def test_the_key_is_known_by_its_id() -> None:
    cli, ops = (Caller(name=name, role=Role.ADMIN) for name in ("cli", "ops"))
    assert (KEYS.whose("s3cret"), KEYS.whose("other"), KEYS.whose("")) == (cli, ops, None)


def test_clients_are_asked_for_at_every_request() -> None:
    alice, clients = Caller(name="alice", role=Role.VIEWER), []
    keys = ApiKeys({}, clients=lambda: clients)
    assert not keys

    clients.append((alice, hashlib.sha256(b"hers").digest()))
    assert (bool(keys), keys.whose("hers")) == (True, alice)
    clients.clear()
    assert keys.whose("hers") is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "gw.example", ""])
def test_off_loopback_the_api_needs_a_key(host: str) -> None:
    with pytest.raises(Misconfigured, match="without a key"):
        Gate(PrivateSettings(host=host), keys=ApiKeys({}))
    Gate(PrivateSettings(host=host), keys=KEYS)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.1.2.3"])
def test_on_loopback_it_starts_without_and_lets_nobody_in(host: str) -> None:
    gate = Gate(PrivateSettings(host=host), keys=ApiKeys({}))
    with pytest.raises(Unauthorised):
        admit(gate, Host=f"[{host}]" if ":" in host else host)

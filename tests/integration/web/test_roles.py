"""Roles over real sockets: every route has one, and nobody does more than his allows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.config.clients import ClientKeys, put_client, remove_client
from gateway.config.keyring import KeyRing, rotate
from gateway.roles import Role
from gateway.telemetry import NullTelemetry
from gateway.telemetry.labels import ROUTES
from gateway.web import ApiKeys, HttpListener, Inside, Private, PrivateSettings, Public, PublicSettings
from gateway.web.roles import OPEN, ROLES
from tests.integration.web.conftest import Serve
from tests.integration.web.test_private_api import NOW, Bench, audit, bench, life

__all__ = ["bench"]

READ = {
    "status": "/api/v1/status",
    "signals": "/api/v1/signals",
    "signal": "/api/v1/signals/s1",
    "refusals": "/api/v1/refusals",
    "bots": "/api/v1/bots",
    "bot": "/api/v1/bots/one",
    "logs": "/api/v1/bots/one/logs",
    "livez": "/livez",
    "readyz": "/readyz",
    "metrics": "/metrics",
    "contracts": "/contracts",
    "contract": "/api/v1/openapi.json",
}
CHANGE = {
    "withdraw": "/api/v1/signals/s1/withdraw",
    "command": "/api/v1/bots/one/commands/stop",
    "forget": "/api/v1/bots/one/forget",
    "tokens": "/api/v1/sources/btc/tokens",
}
PATHS = READ | CHANGE


def key(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


async def ask(bench: Bench, route: str, headers: dict[str, str]) -> tuple[int, Any]:
    method, more = ("POST", {"json": {}}) if route in CHANGE else ("GET", {})
    url = bench.web.url + PATHS[route]
    async with bench.web.client.request(method, url, headers=headers, **more) as answer:
        return answer.status, await answer.json(content_type=None) if route not in {"metrics", "contracts"} else None


def test_every_route_of_the_private_listener_has_a_role_or_is_open() -> None:
    assert set(ROLES) | OPEN | {"hook", "post_predictions", "post_signals"} == ROUTES | {"-"}
    assert set(PATHS) == set(ROUTES) - {"hook", "post_predictions", "post_signals"}
    assert not OPEN & set(ROLES)


def test_every_path_leads_to_the_route_whose_role_is_tried_here(bench: Bench) -> None:
    site = cast("HttpListener", bench.web.listener)._front._site
    for route, path in PATHS.items():
        assert site.route(make_mocked_request("GET", path))[0] == route


@pytest.mark.parametrize("route", sorted(set(PATHS) - OPEN))
async def test_a_role_uses_a_route_that_the_table_gives_it_and_no_other(bench: Bench, route: str) -> None:
    bench.shelf.signals = [life("s1")]
    for role in Role:
        status, document = await ask(bench, route, key(role.value))
        if role.includes(ROLES[route]):
            assert status not in {401, 403}
        else:
            assert (status, document["code"]) == (403, "forbidden")
            assert document["detail"] == f"It needs the role {ROLES[route].value}; {role.value} is {role.value}."


@pytest.mark.parametrize("route", CHANGE)
async def test_a_viewer_is_refused_each_change_and_the_audit_says_so(bench: Bench, route: str) -> None:
    assert (await ask(bench, route, key("viewer")))[0] == 403
    assert audit(bench) == [("viewer", PATHS[route], "refused")]
    assert bench.calls == []


async def test_what_the_table_lacks_is_for_administrators(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.web.roles.ROLES", {})
    assert (await ask(bench, "status", key("operator")))[0] == 403
    assert (await ask(bench, "status", key("admin")))[0] == 200


@pytest.mark.parametrize("bot", ["one", "two"])
async def test_an_operator_that_is_limited_commands_its_own_bots(bench: Bench, bot: str) -> None:
    url = f"{bench.web.url}/api/v1/bots/{bot}/commands/stop"
    async with bench.web.client.post(url, headers=key("limited"), json={}) as answer:
        assert answer.status == 200
    assert [(call.bot, call.who) for call in bench.calls] == [(bot, "limited")]


async def test_an_operator_that_is_limited_commands_no_other_bot(bench: Bench) -> None:
    url = f"{bench.web.url}/api/v1/bots/three/commands/stop"
    async with bench.web.client.post(url, headers=key("limited"), json={}) as answer:
        assert answer.status == 403
        assert (await answer.json(content_type=None))["detail"] == "limited commands one, two only."
    assert bench.calls == []
    assert audit(bench) == [("limited", "three", "refused")]


@pytest.mark.parametrize("route", sorted(set(PATHS) - OPEN))
async def test_a_sources_token_is_no_key(bench: Bench, tmp_path: Path, route: str) -> None:
    """It gets the very answer that anybody gets who shows nothing."""
    token = rotate(tmp_path / "keys.json", "btc", now=NOW)
    assert KeyRing(tmp_path / "keys.json", now=lambda: NOW).holds("btc", token)

    assert await ask(bench, route, key(token)) == await ask(bench, route, {})
    assert (await ask(bench, route, key(token)))[0] == 401
    assert bench.calls == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/bots/one/commands/stop",
        "/hooks/btc/s/api/v1/bots/one/commands/stop",
        "/hooks/btc/s/../../../api/v1/bots/one/commands/stop",
        "/hooks/btc/%2e%2e%2f%2e%2e%2fapi/v1/bots/one/commands/stop",
        "//api/v1/bots/one/commands/stop",
    ],
)
async def test_no_address_of_the_public_listener_reaches_a_command(serve: Serve, path: str) -> None:
    async def take(_: Any) -> Any:
        raise AssertionError("it is no webhook")

    web = await serve(Public(take, settings=PublicSettings(), telemetry=NullTelemetry(), now=lambda: NOW))
    answer = await web.raw(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode())

    assert answer is not None
    assert answer.status == 404


async def test_a_webhooks_address_is_nothing_on_the_private_listener(bench: Bench) -> None:
    for path in ("/hooks/btc/s", "/hooks/btc/s/../../api/v1/bots/one/commands/stop"):
        request = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
        answer = await bench.web.raw(request.encode())
        assert answer is not None
        assert answer.status in {401, 404}
    assert bench.calls == []


async def test_a_clients_key_opens_and_ends_while_the_listener_runs(bench: Bench, serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "clients.json"
    inside = Inside(
        journal=cast("Any", bench.shelf),
        status=lambda: bench.status,
        exposition=lambda _: (b"", ""),
        mint=lambda _: ("", 0),
        withdraw=bench.withdraw,
        roster=bench.roster.roster,
        command=bench.command,
    )
    keys = ApiKeys({}, clients=ClientKeys(path))
    web = await serve(Private(inside, settings=PrivateSettings(), keys=keys, telemetry=NullTelemetry()))

    async def status(token: str) -> int:
        async with web.client.get(f"{web.url}/api/v1/status", headers=key(token)) as answer:
            return answer.status

    def rotated() -> str:
        return put_client(path, "alice", role=Role.VIEWER, bots=(), broker=False, legacy=False, now=NOW).token

    first = rotated()
    assert await status(first) == 200
    second = rotated()
    assert [await status(first), await status(second)] == [401, 200]
    remove_client(path, "alice")
    assert await status(second) == 401

"""The contracts over real sockets: who gets which, and that the API's answers are what they say, member by member."""

from __future__ import annotations

from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator

from gateway.journal.model import Refusal
from gateway.telemetry import NullTelemetry
from gateway.web import Inside, Private, PrivateSettings
from gateway.web.contracts import documents
from gateway.web.contracts.page import POLICY
from gateway.withdrawal import Withdrawn
from schemas.errors import Fault
from schemas.telemetry import Heartbeat, InternalEvent, LogLine, Notification, Performance
from schemas.topics import Topics
from tests.integration.web.conftest import Serve
from tests.integration.web.test_private_api import KEY, KEYS, NOW, Bench, bench, life

__all__ = ["bench"]

DOCUMENTS = documents(Topics())
OPENAPI = DOCUMENTS["openapi.json"]


async def test_the_page_is_open_by_any_name_and_may_run_nothing(bench: Bench) -> None:
    async with bench.web.client.get(f"{bench.web.url}/contracts", headers={"Host": "10.1.2.3:8081"}) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/html"
        assert answer.headers["Content-Security-Policy"] == POLICY
        assert "/api/v1/signals" in await answer.text()


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_every_document_is_served_to_whoever_has_a_key(bench: Bench, path: str) -> None:
    assert await bench.get(f"/api/v1/{path}") == DOCUMENTS[path]
    async with bench.web.client.get(f"{bench.web.url}/api/v1/{path}") as answer:
        assert answer.status == 401


@pytest.mark.parametrize("path", ["schemas/none.json", "schemas/signal.trade", "schemas/..%2fopenapi.json", "schemas"])
async def test_what_is_no_document_is_not_found(bench: Bench, path: str) -> None:
    assert (await bench.get(f"/api/v1/{path}", status=404))["code"] == "not_found"


async def test_the_topics_are_those_of_this_gateway_and_the_page_tells_nothing_of_them(serve: Serve) -> None:
    nothing: Any = cast("Any", None)
    inside = Inside(
        journal=nothing,
        status=nothing,
        exposition=nothing,
        mint=nothing,
        withdraw=nothing,
        roster=nothing,
        command=nothing,
        topics=Topics(root="acme/signals", namespace="acme/bots"),
    )
    web = await serve(Private(inside, settings=PrivateSettings(), keys=KEYS, telemetry=NullTelemetry()))

    async with web.client.get(f"{web.url}/api/v1/asyncapi.json", headers=KEY) as answer:
        channels = (await answer.json())["channels"]
    async with web.client.get(f"{web.url}/contracts") as answer:
        page = await answer.text()
    assert channels["trade"]["address"] == "acme/signals/v1/trade/{source}/{instrument}"
    assert channels["telemetry-hb"]["address"] == "acme/bots/{bot}/hb"
    assert "acme" not in page


OPEN = frozenset({"BotReply", "Problem"})
"""What has members besides those that are named."""


def closed(document: Any) -> Any:
    """The schemas of a document without room for what they do not name."""
    if isinstance(document, list):
        return [closed(one) for one in document]
    if not isinstance(document, dict):
        return document
    inner = {name: closed(value) if name not in OPEN else value for name, value in document.items()}
    shut = {"additionalProperties": False} if isinstance(document.get("properties"), dict) else {}
    return inner | shut


CLOSED = closed(OPENAPI["components"])


def wrong(method: str, path: str, status: int, document: Any) -> list[str]:
    """What an answer has that its operation does not say, or says otherwise."""
    schema = OPENAPI["paths"][path][method]["responses"][str(status)]["content"]["application/json"]["schema"]
    validator = Draft202012Validator({"components": CLOSED, **schema})
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


async def test_every_answer_has_the_members_that_its_document_says_and_no_other(bench: Bench) -> None:
    fault = Fault(where="price", problem="is not a number", found="x", cause="Send one.", line=1, column=2)
    bench.shelf.signals = [life("s1")]
    bench.shelf.refused = [Refusal(id="r1", source="btc", at=NOW, code="invalid", faults=(fault,), size=3)]
    bench.withdrawn = {"s1": Withdrawn(message=None), "s2": Withdrawn(message="w2")}
    await bench.roster.show("one", ahead=3)
    told = (InternalEvent(type="OrderFilled", at=NOW), Notification(msg="bought"), LogLine(msg="a line", at=NOW))
    await bench.roster.tell("one", Heartbeat(at=NOW), *told, Performance(controllers={"c": {}}))

    for path, values in {
        "/api/v1/status": {},
        "/api/v1/signals": {},
        "/api/v1/signals/{id}": {"id": "s1"},
        "/api/v1/refusals": {},
        "/api/v1/bots": {},
        "/api/v1/bots/{bot}": {"bot": "one"},
        "/api/v1/bots/{bot}/logs": {"bot": "one"},
        "/livez": {},
        "/readyz": {},
    }.items():
        document = await bench.get(path.format(**values))
        assert wrong("get", path, 200, document) == [], path
    for path, values, status in (
        ("/api/v1/signals/{id}/withdraw", {"id": "s1"}, 200),
        ("/api/v1/signals/{id}/withdraw", {"id": "s2"}, 202),
        ("/api/v1/bots/{bot}/forget", {"bot": "one"}, 200),
        ("/api/v1/bots/{bot}/commands/stop", {"bot": "one"}, 200),
        ("/api/v1/sources/{source}/tokens", {"source": "btc"}, 201),
    ):
        url = bench.web.url + path.format(**values)
        async with bench.web.client.post(url, headers=KEY, json={}) as answer:
            assert answer.status == status
            assert wrong("post", path, status, await answer.json()) == [], path


def test_a_member_that_the_document_does_not_say_is_found() -> None:
    assert wrong("get", "/livez", 200, {"status": "alive", "mood": "good"})
    assert wrong("get", "/livez", 200, {"status": "dead"})

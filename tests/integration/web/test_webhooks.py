"""Webhooks over real sockets: what each request is answered with."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import pytest

from gateway.errors import Code, NotStored, Refused, Unauthorised
from gateway.intake.source import Received
from gateway.telemetry import Recorder
from gateway.web import Public, PublicSettings
from schemas.errors import Fault
from tests.integration.web.conftest import Serve, Served, eventually

NOW = 1_795_352_101_000_000


@dataclass(frozen=True)
class Entry:
    id: str
    duplicate: bool = False


@dataclass(frozen=True)
class Taken:
    entries: Sequence[Entry] = (Entry("0193a6c2-0000-7000-8000-000000000001"),)
    is_array: bool = False


@dataclass
class Pipeline:
    """Takes what it is given, and does with it what the test says."""

    taken: Taken = field(default_factory=Taken)
    error: Exception | None = None
    seen: list[Received] = field(default_factory=list)
    hold: asyncio.Event | None = None

    async def take(self, received: Received) -> Taken:
        self.seen.append(received)
        if self.hold is not None:
            await self.hold.wait()
        if self.error is not None:
            raise self.error
        return self.taken


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(sources=["btc"], version="1", now=lambda: NOW)


async def serve_public(serve: Serve, pipeline: Pipeline, recorder: Recorder, **settings: Any) -> Served:
    site = Public(pipeline.take, settings=PublicSettings(**settings), telemetry=recorder, now=lambda: NOW)
    return await serve(site, telemetry=recorder)


@pytest.fixture
async def web(serve: Serve, pipeline: Pipeline, recorder: Recorder) -> Served:
    return await serve_public(serve, pipeline, recorder)


def shown(recorder: Recorder, line: str) -> bool:
    return f"signal_gateway_{line}\n" in recorder.exposition("")[0].decode()


async def test_an_accepted_signal_gets_202_and_its_id(web: Served, pipeline: Pipeline, recorder: Recorder) -> None:
    async with web.client.post(f"{web.url}/hooks/btc/s3cret", data=b'{"a":1}') as answer:
        assert answer.status == 202
        assert answer.content_type == "application/json"
        assert await answer.json() == {"id": pipeline.taken.entries[0].id, "status": "accepted"}
    (received,) = pipeline.seen
    assert (received.source, received.secrets, received.body) == ("btc", {"path": "s3cret"}, b'{"a":1}')
    assert received.at == NOW
    assert shown(recorder, 'http_requests_total{listener="public",method="POST",route="hook",status="202"} 1.0')


async def test_a_duplicate_gets_200_and_the_first_id(web: Served, pipeline: Pipeline) -> None:
    pipeline.taken = Taken((Entry("first", duplicate=True),))
    async with web.client.post(f"{web.url}/hooks/btc/s") as answer:
        assert (answer.status, await answer.json()) == (200, {"id": "first", "status": "duplicate"})


@pytest.mark.parametrize("entries", [(), (Entry("a"),), (Entry("a"), Entry("b", duplicate=True))])
async def test_an_array_gets_202_and_an_entry_each(web: Served, pipeline: Pipeline, entries: Sequence[Entry]) -> None:
    pipeline.taken = Taken(entries, is_array=True)
    async with web.client.post(f"{web.url}/hooks/btc/s") as answer:
        assert answer.status == 202
        statuses = ["duplicate" if entry.duplicate else "accepted" for entry in entries]
        assert [entry["status"] for entry in await answer.json()] == statuses


@pytest.mark.parametrize("path", ["/hooks/btc/s3cret", "/hooks/btc/s3cret/"])
async def test_a_slash_at_the_end_makes_no_difference_and_nothing_redirects(
    web: Served, pipeline: Pipeline, path: str
) -> None:
    async with web.client.post(web.url + path, allow_redirects=False) as answer:
        assert answer.status == 202
    assert pipeline.seen[0].secrets == {"path": "s3cret"}


async def test_the_secret_may_come_as_query_or_not_at_all(web: Served, pipeline: Pipeline) -> None:
    for path in ("/hooks/btc?key=a%2Bb%20c", "/hooks/btc/?key=x&key=y", "/hooks/btc", "/hooks/btc?key="):
        async with web.client.post(web.url + path) as answer:
            assert answer.status == 202
    assert [received.secrets for received in pipeline.seen] == [{"query": "a+b c"}, {"query": "x"}, {}, {}]


async def test_the_two_headers_go_along(web: Served, pipeline: Pipeline) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"Idempotency-Key": '"k-1"', "traceparent": trace}
    async with web.client.post(f"{web.url}/hooks/btc/s", headers=headers) as answer:
        assert answer.status == 202
    assert (pipeline.seen[0].idempotency_key, pipeline.seen[0].traceparent) == ("k-1", trace)


@pytest.mark.parametrize("code", list(Code))
async def test_a_refusal_is_a_problem_with_its_faults(web: Served, pipeline: Pipeline, code: Code) -> None:
    pipeline.error = Refused(code, Fault(where="price", problem="is odd", found="NaN", line=2, column=3))
    async with web.client.post(f"{web.url}/hooks/btc/s") as answer:
        assert (answer.status, answer.content_type) == (code.status, "application/problem+json")
        problem = await answer.json()
    assert problem["code"] == code.code
    assert problem["errors"][0]["where"] == "price"


async def test_what_was_not_stored_gets_503_and_when_to_come_back(web: Served, pipeline: Pipeline) -> None:
    pipeline.error = NotStored("disk", "the disk is full")
    async with web.client.post(f"{web.url}/hooks/btc/s") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert (await answer.json())["code"] == "not_stored"


async def test_an_unforeseen_error_gets_an_empty_500_and_the_gateway_goes_on(
    web: Served, pipeline: Pipeline, recorder: Recorder, capfd: pytest.CaptureFixture[str]
) -> None:
    pipeline.error = RuntimeError("inner thoughts")
    async with web.client.post(f"{web.url}/hooks/btc/s") as answer:
        assert (answer.status, answer.content_type) == (500, "application/problem+json")
        assert "inner thoughts" not in await answer.text()
    assert shown(recorder, "unexpected_errors_total 1.0")
    assert "inner thoughts" in capfd.readouterr().out
    pipeline.error = None
    async with web.client.post(f"{web.url}/hooks/btc/s") as answer:
        assert answer.status == 202


async def test_every_wrong_secret_gets_the_same_bytes(web: Served, pipeline: Pipeline) -> None:
    answers = set()
    for cause in ("unknown_source", "wrong_secret", "no_secret", "expired_secret"):
        pipeline.error = Unauthorised(cause)
        answer = await web.raw(f"POST /hooks/{cause}/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        assert answer is not None
        del answer.headers["date"]
        answers.add((answer.status, answer.body, tuple(answer.headers.items())))
    ((status, body, _),) = answers
    assert status == 401
    assert json.loads(body)["code"] == "unauthorised"


async def test_a_browser_sees_a_friendly_page_that_says_nothing_about_the_token(
    web: Served, pipeline: Pipeline
) -> None:
    pages = set()
    for path in ("/hooks/btc/s3cret", "/hooks/nosuch/x", "/hooks/btc", "/hooks/btc/s3cret/"):
        async with web.client.get(web.url + path) as answer:
            assert (answer.status, answer.content_type) == (200, "text/plain")
            pages.add(await answer.text())
    (page,) = pages
    assert "webhook" in page
    assert not pipeline.seen


async def test_head_and_options_are_sane(web: Served) -> None:
    async with web.client.head(f"{web.url}/hooks/btc/x") as answer:
        assert (answer.status, await answer.read()) == (200, b"")
    async with web.client.options(f"{web.url}/hooks/btc/x") as answer:
        assert (answer.status, answer.headers["Allow"]) == (204, "GET, HEAD, OPTIONS, POST")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "PROPFIND"])
async def test_another_method_gets_405(web: Served, method: str) -> None:
    async with web.client.request(method, f"{web.url}/hooks/btc/x") as answer:
        assert (answer.status, answer.content_type) == (405, "application/problem+json")
        assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize(
    "path",
    ["/", "/hooks", "/hooks/", "/hooks/a/b/c", "/metrics", "/livez", "/api/v1/status", "/Hooks/a/b", "//hooks/a/b"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_there_is_nothing_else(web: Served, pipeline: Pipeline, path: str, method: str) -> None:
    answer = await web.raw(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
    assert answer is not None
    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
    assert not pipeline.seen


async def test_no_answer_names_the_servers_software(web: Served) -> None:
    for request in (
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /hooks/a/b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"BAD\r\n\r\n",
    ):
        answer = await web.raw(request)
        assert answer is not None
        assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda data: zlib.compress(data)[2:-4]),
        ("gzip", lambda data: gzip.compress(data[:5]) + gzip.compress(data[5:])),
        ("identity", bytes),
    ],
)
async def test_a_compressed_body_is_unpacked(web: Served, pipeline: Pipeline, encoding: str, pack: Any) -> None:
    body = b'{"action":"buy"}' * 50
    headers = {"Content-Encoding": encoding}
    async with web.client.post(f"{web.url}/hooks/btc/s", data=pack(body), headers=headers) as answer:
        assert answer.status == 202
    assert pipeline.seen[0].body == body


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress", "", "\xff"])
async def test_an_unknown_encoding_gets_415(web: Served, pipeline: Pipeline, encoding: str) -> None:
    head = f"POST /hooks/btc/s HTTP/1.1\r\nHost: x\r\nContent-Encoding: {encoding}\r\nContent-Length: 2\r\n\r\n{{}}"
    answer = await web.raw(head.encode("latin-1"))
    assert answer is not None
    assert (answer.status, answer.json["code"]) == (415, "unknown_encoding")
    assert not pipeline.seen


@pytest.mark.parametrize(
    "body",
    [b"no gzip", gzip.compress(b"x" * 99)[:-3], gzip.compress(b"x") + b"rest"],
    ids=["no gzip", "cut short", "more behind it"],
)
async def test_a_body_that_is_not_what_its_encoding_says_gets_400(web: Served, pipeline: Pipeline, body: bytes) -> None:
    headers = {"Content-Encoding": "gzip"}
    async with web.client.post(f"{web.url}/hooks/btc/s", data=body, headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, "unreadable")
    assert not pipeline.seen


async def test_an_address_that_is_not_allowed_gets_the_same_401(
    serve: Serve, pipeline: Pipeline, recorder: Recorder
) -> None:
    web = await serve_public(serve, pipeline, recorder, allow_from=(ip_network("52.89.214.238/32"),))
    headers = {"X-Forwarded-For": "52.89.214.238"}
    async with web.client.post(f"{web.url}/hooks/btc/s", headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "unauthorised")
    assert not pipeline.seen
    assert shown(recorder, 'unauthorised_total{cause="address"} 1.0')


async def test_behind_a_trusted_proxy_the_clients_address_counts(
    serve: Serve, pipeline: Pipeline, recorder: Recorder
) -> None:
    networks = {"allow_from": (ip_network("52.89.214.238/32"),), "trusted_proxies": (ip_network("127.0.0.0/8"),)}
    web = await serve_public(serve, pipeline, recorder, **networks)
    statuses = []
    for forwarded in ("6.6.6.6, 52.89.214.238", "52.89.214.238, 6.6.6.6"):
        async with web.client.post(f"{web.url}/hooks/btc/s", headers={"X-Forwarded-For": forwarded}) as answer:
            statuses.append(answer.status)
    assert statuses == [202, 401]


async def test_too_many_requests_at_once_get_503_and_those_before_them_are_served(
    serve: Serve, pipeline: Pipeline, recorder: Recorder
) -> None:
    web = await serve_public(serve, pipeline, recorder, max_requests=2)
    pipeline.hold = asyncio.Event()

    async def post() -> int:
        async with web.client.post(f"{web.url}/hooks/btc/s", data=b"{}") as answer:
            return answer.status

    held = [asyncio.create_task(post()) for _ in range(2)]
    await eventually(lambda: len(pipeline.seen) == 2)
    assert await post() == 503
    pipeline.hold.set()
    assert await asyncio.gather(*held) == [202, 202]
    assert await post() == 202
    assert shown(recorder, 'not_stored_total{cause="busy"} 1.0')

"""Requests that mean harm, as raw bytes: never a 500, and a problem where HTTP allows one."""

from __future__ import annotations

import asyncio
import gzip
import io
import logging
import os
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import Unauthorised
from gateway.intake.source import Received
from gateway.telemetry import LogSettings, NullTelemetry, Recorder, configure
from gateway.web import Public, PublicSettings
from tests.integration.web.conftest import Answer, Serve, Served, eventually, read_answer, serving
from tests.integration.web.test_webhooks import NOW, Pipeline, Taken

LIMIT = 256 * 1024
HEAD = b"POST /hooks/btc/s HTTP/1.1\r\nHost: x\r\n"
PACKERS: dict[str, Callable[[bytes], bytes]] = {"identity": bytes, "gzip": gzip.compress, "deflate": zlib.compress}
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


@pytest.fixture
async def web(pipeline: Pipeline, serve: Serve) -> Served:
    telemetry = Recorder(sources=["btc"], version="1", now=lambda: NOW)
    site = Public(pipeline.take, settings=PublicSettings(body_timeout=0.3), telemetry=telemetry, now=lambda: NOW)
    return await serve(site, telemetry=telemetry)


def assert_problem(answer: Answer | None, status: int) -> None:
    assert answer is not None
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == status


@pytest.mark.parametrize(
    "request_",
    [
        b"\r\n\r\nhello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50) + b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /hooks/a/b HTTP/9.9\r\nHost: x\r\n\r\n",
        HEAD + b"Content-Length: -5\r\n\r\n",
        HEAD + b"Content-Length: five\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        HEAD + b"Bad Header: x\r\n\r\n",
        HEAD + b"X: a\x00b\r\n\r\n",
        HEAD + b"X: " + b"a" * 20_000 + b"\r\n\r\n",
        HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(500)) + b"\r\n",
        b"POST /hooks/btc/" + b"s" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /hooks/btc/a b HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_what_is_no_http_gets_400_as_a_problem(web: Served, pipeline: Pipeline, request_: bytes) -> None:
    assert_problem(await web.raw(request_), 400)
    assert not pipeline.seen


@pytest.mark.parametrize("body", [b"zz\r\nhello\r\n", b"5\r\nhelloXX", b"-1\r\n", b"5;\x00\r\nhello\r\n0\r\n\r\n"])
async def test_bad_chunks_get_400(web: Served, pipeline: Pipeline, body: bytes) -> None:
    answer = await web.raw(CHUNKED + body)
    assert_problem(answer, 400)
    assert not pipeline.seen


async def test_a_body_that_says_it_is_too_large_gets_413_before_it_is_read(web: Served, pipeline: Pipeline) -> None:
    assert_problem(await web.raw(HEAD + b"Content-Length: 10000000\r\n\r\n"), 413)
    assert not pipeline.seen


async def test_ten_megabytes_get_413(web: Served, pipeline: Pipeline) -> None:
    async with web.client.post(f"{web.url}/hooks/btc/s", data=io.BytesIO(b"x" * 10_000_000)) as answer:
        assert (answer.status, answer.content_type) == (413, "application/problem+json")
    assert not pipeline.seen


async def test_ten_megabytes_in_chunks_get_413(web: Served, pipeline: Pipeline) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(160):
            yield b"x" * 65_536

    async with web.client.post(f"{web.url}/hooks/btc/s", data=chunks()) as answer:
        assert (answer.status, answer.content_type) == (413, "application/problem+json")
    assert not pipeline.seen


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1])
@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate"])
async def test_the_limit_is_exact_whatever_the_encoding(
    web: Served, pipeline: Pipeline, size: int, encoding: str
) -> None:
    body = PACKERS[encoding](b"x" * size)
    headers = {"Content-Encoding": encoding}
    async with web.client.post(f"{web.url}/hooks/btc/s", data=body, headers=headers) as answer:
        assert answer.status == (202 if size == LIMIT else 413)
    assert [len(received.body) for received in pipeline.seen] == ([size] if size == LIMIT else [])


async def test_a_body_that_comes_at_once_and_tells_no_length_is_bounded_too(serve: Serve, pipeline: Pipeline) -> None:
    site = Public(pipeline.take, settings=PublicSettings(max_body=4), telemetry=NullTelemetry(), now=lambda: NOW)
    web = await serve(site)
    assert_problem(await web.raw(CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"), 413)
    whole = await web.raw(CHUNKED + b"4\r\nhell\r\n0\r\n\r\n")
    assert whole is not None
    assert whole.status == 202


async def test_a_bomb_gets_413_and_is_not_unpacked(web: Served, pipeline: Pipeline) -> None:
    bomb = gzip.compress(b"\0" * 100_000_000)
    headers = {"Content-Encoding": "gzip"}
    async with web.client.post(f"{web.url}/hooks/btc/s", data=bomb, headers=headers) as answer:
        assert answer.status == 413
    assert not pipeline.seen


async def test_a_bomb_of_many_members_gets_413(web: Served, pipeline: Pipeline) -> None:
    bomb = gzip.compress(b"\0" * 100_000) * 100
    headers = {"Content-Encoding": "gzip"}
    async with web.client.post(f"{web.url}/hooks/btc/s", data=bomb, headers=headers) as answer:
        assert answer.status == 413
    assert not pipeline.seen


async def test_a_body_that_never_ends_gets_408(web: Served, pipeline: Pipeline) -> None:
    assert_problem(await web.raw(HEAD + b"Content-Length: 5\r\n\r\nhel"), 408)
    assert_problem(await web.raw(CHUNKED + b"5\r\nhel"), 408)
    assert not pipeline.seen


async def test_a_sender_who_hangs_up_in_the_body_leaves_nothing_behind(web: Served, pipeline: Pipeline) -> None:
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", web.port)
        writer.write(HEAD + b"Content-Length: 500\r\n\r\nhel")
        writer.close()
    assert_problem(await web.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 404)
    assert not pipeline.seen


async def test_slow_bodies_beyond_their_number_get_503_and_whole_ones_are_still_taken(
    serve: Serve, pipeline: Pipeline
) -> None:
    bounds = PublicSettings(max_uploads=2, body_timeout=5)
    site = Public(pipeline.take, settings=bounds, telemetry=NullTelemetry(), now=lambda: NOW)
    web = await serve(site)
    slow = [await asyncio.open_connection("127.0.0.1", web.port) for _ in range(2)]
    for _, writer in slow:
        writer.write(HEAD + b"Content-Length: 5\r\n\r\nhel")
    await eventually(lambda: site._bodies._arriving == 2)
    assert_problem(await web.raw(HEAD + b"Content-Length: 5\r\n\r\nhel"), 503)
    whole = await web.raw(HEAD + b"Content-Length: 5\r\n\r\nhello")
    assert whole is not None
    assert whole.status == 202
    for reader, writer in slow:
        writer.write(b"lo")
        finished = await read_answer(reader)
        assert finished is not None
        assert finished.status == 202
        writer.close()
    assert site._bodies._arriving == 0


async def test_a_silent_connection_is_closed(serve: Serve, pipeline: Pipeline) -> None:
    site = Public(pipeline.take, settings=PublicSettings(), telemetry=NullTelemetry(), now=lambda: NOW)
    web = await serve(site, idle=0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
    writer.write(b"POST /hooks/btc/s HTTP/1.1\r\nHost:")
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


async def test_connections_beyond_their_number_are_closed(serve: Serve, pipeline: Pipeline) -> None:
    site = Public(pipeline.take, settings=PublicSettings(), telemetry=NullTelemetry(), now=lambda: NOW)
    web = await serve(site, max_connections=3)
    kept = [await asyncio.open_connection("127.0.0.1", web.port) for _ in range(3)]
    for reader, writer in kept:
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert_problem(await read_answer(reader), 404)
    assert await web.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") is None
    kept[0][1].close()
    async with asyncio.timeout(5):
        while await web.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") is None:
            await asyncio.sleep(0.01)
    for _, writer in kept:
        writer.close()


@pytest.mark.parametrize("expect", ["100-continue", "100-Continue"])
async def test_a_sender_who_asks_first_is_told_to_go_on(web: Served, pipeline: Pipeline, expect: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
    writer.write(HEAD + f"Expect: {expect}\r\nContent-Length: 5\r\n\r\n".encode())
    async with asyncio.timeout(5):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hello")
        answer = await read_answer(reader)
    assert answer is not None
    assert answer.status == 202
    assert pipeline.seen[0].body == b"hello"
    writer.close()


async def test_a_sender_who_asks_first_and_never_sends_gets_408(web: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
    writer.write(HEAD + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    async with asyncio.timeout(5):
        await reader.readuntil(b"\r\n\r\n")
        assert_problem(await read_answer(reader), 408)
    writer.close()


async def test_a_body_that_is_too_large_is_not_asked_for(web: Served) -> None:
    assert_problem(await web.raw(HEAD + b"Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n"), 413)


@pytest.mark.parametrize(
    ("path", "source", "secret"),
    [
        ("/hooks/btc%2Fx/s", "btc/x", "s"),
        ("/hooks/btc/a%2Fb", "btc", "a/b"),
        ("/hooks/btc%0d%0aX-Evil:%201/s", "btc\r\nX-Evil: 1", "s"),
        ("/hooks/%00/s", "\0", "s"),
        ("/hooks/btc%23/s", "btc#", "s"),
        ("/hooks/../s", "..", "s"),
        ("/hooks/%2e%2e/s", "..", "s"),
        ("/hooks/%ff/s", "\ufffd", "s"),
        ("/hooks/%/%zz", "%", "%zz"),
        ("/hooks/btc/%ED%A0%80", "btc", "\ufffd\ufffd\ufffd"),
        ("/hooks//s", "", "s"),
    ],
)
async def test_an_odd_path_stays_in_its_segments(
    web: Served, pipeline: Pipeline, path: str, source: str, secret: str
) -> None:
    pipeline.error = Unauthorised("unknown_source")
    answer = await web.raw(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
    assert_problem(answer, 401)
    assert answer is not None
    assert "x-evil" not in answer.headers
    assert (pipeline.seen[0].source, pipeline.seen[0].secrets["path"]) == (source, secret)


async def test_requests_in_one_breath_are_answered_in_their_order(web: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
    writer.write((HEAD + b"Content-Length: 2\r\n\r\n{}") * 3 + b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n")
    statuses = []
    for _ in range(4):
        answer = await read_answer(reader)
        assert answer is not None
        statuses.append(answer.status)
    assert statuses == [202, 202, 202, 404]
    writer.close()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=st.binary(max_size=300), body=st.binary(max_size=300))
async def test_no_bytes_bring_a_500(head: bytes, body: bytes) -> None:
    async def take(_: Received) -> Taken:
        return Taken()

    settings_ = PublicSettings(body_timeout=0.05)
    site = Public(take, settings=settings_, telemetry=NullTelemetry(), now=lambda: NOW)
    async with serving(site, telemetry=NullTelemetry(), idle=0.1, drain=0.2) as web:
        for request in (head + b"\r\n\r\n" + body, HEAD + head + b"\r\n\r\n" + body, CHUNKED + body):
            answer = await web.raw(request, timeout=10)
            assert answer is None or answer.status < 500


async def test_nothing_of_a_hostile_request_reaches_the_log_as_a_secret_or_a_line(
    serve: Serve, pipeline: Pipeline, tmp_path: Path
) -> None:
    canary = "sg_canarycanarycanary"
    handlers = logging.getLogger().handlers[:]
    fd = os.open(f"{tmp_path}/log", os.O_CREAT | os.O_RDWR)
    sink = configure(LogSettings(level="debug", format="json"), fd=fd)
    try:
        telemetry = Recorder(sources=["btc"], version="1", now=lambda: NOW)
        site = Public(pipeline.take, settings=PublicSettings(), telemetry=telemetry, now=lambda: NOW)
        web = await serve(site, telemetry=telemetry)
        pipeline.error = RuntimeError(f"POST /hooks/btc/{canary} and Authorization: Bearer {canary}")
        for request in (
            f"POST /hooks/btc/{canary} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
            f"POST /hooks/btc/{canary} HTTP/1.1\r\nHost: x\r\nContent-Encoding: br\r\nContent-Length: 0\r\n\r\n",
            f"POST /hooks/btc/{canary} HTTP/1.1\r\nBad {canary}: {canary}\r\n\r\n",
            f"POST /hooks/btc/{canary} {canary}\r\n\r\n",
            f"POST /hooks/btc?key={canary} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {canary}\r\n\r\n",
        ):
            answer = await web.raw(request.encode())
            assert answer is not None
            assert canary.encode() not in answer.body
        sink.close()
        text = os.pread(fd, 1 << 20, 0).decode()
    finally:
        logging.getLogger().handlers = handlers
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()
        os.close(fd)
    assert "unexpected" in text
    assert "Traceback" in text
    assert "canary" not in text

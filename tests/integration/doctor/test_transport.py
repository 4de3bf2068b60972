"""The doctor at a broker that is away, hangs, stalls, or whose TLS is wrong: it says so in time, with what to do."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.config.tls import tls_context
from gateway.doctor import examine
from gateway.doctor.access import see_retained
from gateway.doctor.keeping import see_kept
from gateway.doctor.seen import Kept
from gateway.doctor.transport import takes_old_tls
from gateway.doctor.visits import Visits
from gateway.mqtt import frames
from tests.brokers import Proxy, free_port
from tests.certificates import Authority, Signed
from tests.integration.doctor.conftest import GOOD, TOPICS, Clinics, codes, link, patient

FILES: dict[str, Path | None] = {"ca": None, "cert": None, "key": None}


def trusting(authority: Authority) -> ssl.SSLContext:
    return tls_context(FILES | {"ca": Path(authority.ca)})


def with_tls(signed: Signed) -> tuple[str, ...]:
    return (f"certfile {signed.cert}", f"keyfile {signed.key}", *GOOD)  # of the listener, which is the line before


@asynccontextmanager
async def serving(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        answer(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


@asynccontextmanager
async def delaying(behind: int, *, seconds: float) -> AsyncIterator[int]:
    """What a broker says comes later."""

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pause: float) -> None:
        while data := await reader.read(65_536):
            await asyncio.sleep(pause)
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", behind)
        await asyncio.gather(pipe(reader, forth, 0), pipe(back, writer, seconds), return_exceptions=True)
        for end in (writer, forth):
            end.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def test_a_broker_that_is_away_is_told_with_what_to_do() -> None:
    found = await examine(patient(free_port()))

    assert found.verdicts == ()
    assert "cannot be reached" in found.away
    assert "mend broker.host and broker.port" in found.away


async def test_a_broker_that_never_answers_is_told_within_the_deadline() -> None:
    async with serving(lambda *_: None) as port:
        found = await asyncio.wait_for(examine(patient(port, link=link(port, connect_timeout=0.2))), 2)

    assert found.verdicts == ()
    assert "did not answer a CONNECT within 0.2 s" in found.away


async def closing_at(denied: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A broker that retains a signal for every filter but one, for which it closes the connection."""
    while True:
        head, size = await reader.readexactly(2)
        body = await reader.readexactly(size)
        match head >> 4:
            case frames.CONNECT:
                writer.write(bytes([frames.CONNACK << 4, 3, 0, 0, 0]))
            case frames.PINGREQ:
                writer.write(bytes([frames.PINGRESP << 4, 0]))
            case frames.SUBSCRIBE:
                wanted = body[5:-1].decode("utf-8", "replace")
                if wanted == denied:
                    break
                writer.write(frames.packet(frames.SUBACK << 4, body[:2] + bytes([0, 0])))
                topic = b"signals/v1/trade/tv/BTC"
                writer.write(frames.packet(0x31, len(topic).to_bytes(2) + topic + b"\x00{}"))
            case frames.DISCONNECT:
                break
    writer.transport.abort()


async def test_what_is_retained_is_seen_before_a_subscription_that_ends_the_connection() -> None:
    tasks: list[asyncio.Task[None]] = []
    async with serving(lambda *ends: tasks.append(asyncio.create_task(closing_at("/denied", *ends)))) as port:
        visits = Visits(link(port), TOPICS, run="1")
        seen = await asyncio.wait_for(see_retained(visits, None, ("/right", "/denied")), 5)
        nothing = await asyncio.wait_for(see_retained(visits, None, ("/denied",)), 5)
    await asyncio.wait(tasks)

    assert (seen, nothing) == (("signals/v1/trade/tv/BTC",), ())


async def test_what_is_no_broker_is_told() -> None:
    async with serving(lambda _, writer: writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)) as port:
        found = await asyncio.wait_for(examine(patient(port, link=link(port, connect_timeout=0.5))), 5)

    assert found.away


async def test_a_broker_that_closes_at_once_is_told() -> None:
    async with serving(lambda _, writer: writer.close()) as port:
        found = await examine(patient(port))

    assert "closed the connection" in found.away


async def test_a_broker_that_stalls_midway_ends_the_examination_with_what_was_seen(
    clinic: Clinics, monkeypatch: pytest.MonkeyPatch
) -> None:
    sick = clinic(anonymous=True)
    proxy = Proxy(sick.broker.port)
    await proxy.start()

    async def stalling(*arguments: Any) -> Kept:
        proxy.stall()
        return await see_kept(*arguments)

    monkeypatch.setattr("gateway.doctor.examination.see_kept", stalling)
    try:
        given = patient(proxy.port, link=link(proxy.port, connect_timeout=0.5))
        found = await asyncio.wait_for(examine(given), 10)
    finally:
        await proxy.stop()

    assert "did not answer" in found.away
    assert codes(found) == ["anonymous"]
    assert {"limits", "reasons"} <= {verdict.code for verdict in found.verdicts}


async def test_a_slow_broker_is_told_and_not_asked_for_much(clinic: Clinics) -> None:
    sick = clinic()
    async with delaying(sick.broker.port, seconds=0.06) as port:
        found = await asyncio.wait_for(examine(patient(port, slow=0.05)), 20)

    assert codes(found) == ["slow"]
    assert "rest" in {verdict.code for verdict in found.verdicts}


async def test_an_examination_that_takes_too_long_ends_with_what_was_seen(clinic: Clinics) -> None:
    found = await asyncio.wait_for(examine(patient(clinic().broker.port, within=1.0)), 5)

    assert "did not come to its end" in found.away
    assert "logins" in {verdict.code for verdict in found.verdicts}


async def test_a_certificate_of_another_authority_is_told_with_the_setting(
    clinic: Clinics, authority: Authority, tmp_path: Path
) -> None:
    sick = clinic(options=with_tls(authority.sign("localhost")))
    found = await sick.examine(host="localhost", tls=trusting(Authority(tmp_path, name="another")))

    assert "certificate that is not trusted" in found.away
    assert "broker.tls.ca" in found.away


async def test_no_tls_where_tls_is_wanted_is_told(clinic: Clinics, authority: Authority) -> None:
    found = await clinic().examine(tls=trusting(authority), connect_timeout=1.0)

    assert found.away


async def test_tls_where_none_is_wanted_is_told(clinic: Clinics, authority: Authority) -> None:
    sick = clinic(options=with_tls(authority.sign("localhost")))
    found = await sick.examine(connect_timeout=1.0)

    assert found.away


@pytest.mark.more
async def test_a_certificate_that_lasts_is_well(clinic: Clinics, authority: Authority) -> None:
    sick = clinic(options=with_tls(authority.sign("localhost", days=90)))
    found = await sick.examine(host="localhost", tls=trusting(authority))

    assert (codes(found), found.away) == ([], "")


@pytest.mark.more
async def test_a_certificate_that_ends_soon_is_told(clinic: Clinics, authority: Authority) -> None:
    sick = clinic(options=with_tls(authority.sign("localhost", days=2)))
    found = await sick.examine(host="localhost", tls=trusting(authority))

    assert codes(found) == ["certificate"]
    assert "in 2 days" in found.findings[0].says


@pytest.mark.parametrize(("newest", "taken"), [("TLSv1_1", True), ("TLSv1_3", False)])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
async def test_old_versions_of_tls_are_noticed(authority: Authority, newest: str, *, taken: bool) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    signed = authority.sign("localhost")
    context.load_cert_chain(signed.cert, signed.key)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1 if taken else ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion[newest]
    async with serving(lambda *_: None, tls=context) as port:
        assert await takes_old_tls(link(port, tls=trusting(authority))) is taken

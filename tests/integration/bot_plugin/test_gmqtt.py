"""What the link makes of brokers that refuse, that are silent, and that speak only MQTT 3.1.1."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import gmqtt
import pytest

from bot_plugin import reconnecting
from bot_plugin.acknowledgements import Acknowledgements
from bot_plugin.errors import LinkLost, LinkRefused, TakenOver
from bot_plugin.link import tell_reasons
from bot_plugin.reconnecting import MqttBroker, MqttLink
from bot_plugin.transport import LinkSettings, Message
from tests.integration.bot_plugin.rig import Mosquitto, eventually, task

CONNECT, PUBLISH, SUBSCRIBE = 0x10, 0x30, 0x80


class ScriptedBroker:
    """Answers each packet type with the bytes of a script; ``{mid}`` is the packet's identifier."""

    def __init__(self, script: Callable[[int, int, bytes], bytes | None]) -> None:
        self._script = script
        self.port = 0
        self.connects: list[int] = []
        self.serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving[asyncio.create_task(self._serve(reader, writer))] = writer

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, size = await reader.readexactly(2)
                body = await reader.readexactly(
                    size if size < 128 else size - 128 + 128 * (await reader.readexactly(1))[0]
                )
                if kind & 0xF0 == CONNECT:
                    self.connects.append(body[6])
                answer = self._script(kind & 0xF0, self.connects[-1], body)
                if answer is None:
                    break
                writer.write(answer)
        writer.close()

    async def closed(self) -> None:
        """Close every connection, also of a client that gave up as it was accepted, and return when they are."""
        accepting = [task for task in asyncio.all_tasks() if "accept" in task.get_coro().__qualname__]
        await asyncio.gather(*accepting, return_exceptions=True)
        for writer in self.serving.values():
            writer.close()
        if self.serving:
            await asyncio.wait(self.serving)
        await asyncio.gather(*(writer.wait_closed() for writer in self.serving.values()), return_exceptions=True)


@contextlib.asynccontextmanager
async def scripted(script: Callable[[int, int, bytes], bytes | None]) -> AsyncIterator[ScriptedBroker]:
    broker = ScriptedBroker(script)
    async with await asyncio.start_server(broker.take, "127.0.0.1", 0) as server:
        broker.port = server.sockets[0].getsockname()[1]
        yield broker
    await broker.closed()


def link_to(broker: Any, **settings: Any) -> MqttLink:
    given: dict[str, Any] = {"client_id": "bot", "backoff": (0.01, 0.05), "connect_timeout": 0.3, **settings}
    return MqttLink(LinkSettings(host="127.0.0.1", port=broker.port, **given))


async def nothing(message: Message) -> None: ...


def accept(kind: int, version: int, body: bytes) -> bytes:
    """Let everything in, and refuse each publish with 0x87 on MQTT 5."""
    if kind == CONNECT:
        return b"\x20\x03\x00\x00\x00" if version == 5 else b"\x20\x02\x00\x00"
    if kind == PUBLISH:
        topic = int.from_bytes(body[:2], "big")
        return b"\x40\x03" + body[2 + topic : 4 + topic] + b"\x87"
    return b""


async def test_a_refused_publish_is_told_by_its_reason_code() -> None:
    async with scripted(accept) as broker:
        link = link_to(broker)
        async with task(link.run(nothing, lambda: None)):
            await eventually(lambda: link.connected)
            reason = await link.publish("signals/v1/receipt/demo", b"{}")

    assert reason == 0x87


async def test_a_broker_that_never_answers_mqtt_5_is_spoken_to_in_3_1_1() -> None:
    def only_311(kind: int, version: int, body: bytes) -> bytes:
        return b"" if version == 5 else accept(kind, version, body)

    async with scripted(only_311) as broker:
        link = link_to(broker)
        async with task(link.run(nothing, lambda: None)):
            await eventually(lambda: link.connected)

    assert broker.connects == [5, 4]


async def test_a_version_that_a_connection_has_is_where_others_beside_it_begin() -> None:
    def only_311(kind: int, version: int, body: bytes) -> bytes:
        return b"" if version == 5 else accept(kind, version, body)

    async with scripted(only_311) as server:
        broker = MqttBroker()
        settings = LinkSettings(host="127.0.0.1", port=server.port, client_id="bot", connect_timeout=0.3)
        first, second, third = (broker.link(settings) for _ in range(3))
        async with task(first.run(nothing, lambda: None)):
            await eventually(lambda: first.connected)
            for beside in (second, third):
                async with task(beside.run(nothing, lambda: None)):
                    await eventually(lambda beside=beside: beside.connected)

    assert server.connects == [5, 4, 4, 4]


async def test_the_largest_packet_that_a_broker_takes_is_known_where_it_says_it() -> None:
    def modest(kind: int, version: int, body: bytes) -> bytes:
        return b"\x20\x08\x00\x00\x05\x27\x00\x00\x10\x00" if kind == CONNECT else accept(kind, version, body)

    for script, largest in ((modest, 4096), (accept, None)):
        async with scripted(script) as broker:
            link = link_to(broker)
            assert link.largest is None
            async with task(link.run(nothing, lambda: None)):
                await eventually(lambda link=link: link.connected)
                assert link.largest == largest


async def test_a_broker_that_does_not_read_is_sent_a_bounded_lot_without_acknowledgement() -> None:
    unread, ended = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(2)
        writer.write(b"\x20\x03\x00\x00\x00")
        await unread.wait()
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        ended.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, limit=1024) as server:
        link = MqttLink(
            LinkSettings(
                host="127.0.0.1", port=server.sockets[0].getsockname()[1], client_id="bot", backoff=(0.01, 0.05)
            )
        )
        async with task(link.run(nothing, lambda: None)):
            await eventually(lambda: link.connected)
            taken = 0
            with contextlib.suppress(LinkLost):
                while taken < 1_000:
                    link.publish("hbot/demo/log", bytes(65_536), qos=0)
                    taken += 1
                    await asyncio.sleep(0)
        unread.set()
        await ended.wait()

    assert 16 <= taken < 200, "what the kernel holds, and 1 MiB"


async def test_a_version_that_worked_is_where_the_next_connection_begins_and_no_other() -> None:
    def only_311(kind: int, version: int, body: bytes) -> bytes:
        return b"" if version == 5 else accept(kind, version, body)

    async with scripted(only_311) as server:
        broker = MqttBroker()
        for _ in range(3):
            link = broker.link(LinkSettings(host="127.0.0.1", port=server.port, client_id="bot", connect_timeout=0.3))
            async with task(link.run(nothing, lambda: None)):
                await eventually(lambda link=link: link.connected)

    assert server.connects == [5, 4, 4, 5, 4]


@pytest.mark.parametrize("refusal", [b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00", None])
async def test_a_broker_that_refuses_mqtt_5_is_spoken_to_in_3_1_1(refusal: bytes | None) -> None:
    def only_311(kind: int, version: int, body: bytes) -> bytes | None:
        return refusal if version == 5 else accept(kind, version, body)

    async with scripted(only_311) as broker:
        link = link_to(broker)
        async with task(link.run(nothing, lambda: None)):
            await eventually(lambda: link.connected)

    assert broker.connects == [5, 4]


@pytest.mark.parametrize("version", [5, 4])
async def test_a_wrong_password_ends_the_link_with_its_reason(version: int) -> None:
    def refuse(kind: int, version: int, body: bytes) -> bytes:
        return b"\x20\x03\x00\x86\x00" if version == 5 else b"\x20\x02\x00\x04"

    async with scripted(refuse) as broker:
        link = link_to(broker, username="demo", password="s3cret", versions=(version,))
        with pytest.raises(LinkRefused, match=r"(?i)bad user name or password") as caught:
            await asyncio.wait_for(link.run(nothing, lambda: None), 5)

    assert "s3cret" not in str(caught.value)
    assert len(broker.connects) == 1


async def test_a_session_that_was_taken_over_ends_the_link() -> None:
    def take_over(kind: int, version: int, body: bytes) -> bytes:
        return accept(kind, version, body) + b"\xe0\x02\x8e\x00"

    async with scripted(take_over) as broker:
        with pytest.raises(TakenOver, match="bot"):
            await asyncio.wait_for(link_to(broker).run(nothing, lambda: None), 5)

    assert len(broker.connects) == 1


async def test_a_broker_that_acknowledges_nothing_is_connected_to_anew() -> None:
    def silent(kind: int, version: int, body: bytes) -> bytes:
        return b"" if kind == PUBLISH else accept(kind, version, body)

    async with scripted(silent) as broker:
        link = link_to(broker, ack_timeout=0.1)
        async with task(link.run(nothing, lambda: None)):
            await eventually(lambda: link.connected)
            with pytest.raises(LinkLost):
                await link.publish("a", b"")
            await eventually(lambda: link.connected)

    assert len(broker.connects) == 2


async def test_a_denied_filter_ends_the_link_and_names_it(make_broker: Callable[..., Mosquitto]) -> None:
    def deny(kind: int, version: int, body: bytes) -> bytes:
        if kind == SUBSCRIBE:
            return b"\x90\x05" + body[:2] + b"\x00\x87\x01"
        return accept(kind, version, body)

    async with scripted(deny) as broker:
        link = link_to(broker, filters=("signals/v1/trade/+/+",), optional=("signals/v1/bot/demo",))
        with pytest.raises(LinkRefused, match=r"listen to signals/v1/trade/\+/\+$"):
            await asyncio.wait_for(link.run(nothing, lambda: None), 5)


@pytest.mark.parametrize("answer", [b"\x90\x03%b\x00", b"\x90\x05%b\x00\x01\x01", b"\x90\x04\xff\xff\x00\x01"])
async def test_a_malformed_answer_to_a_subscription_is_a_lost_connection(answer: bytes) -> None:
    def script(kind: int, version: int, body: bytes) -> bytes:
        if kind != SUBSCRIBE:
            return accept(kind, version, body)
        return (answer if len(server.connects) == 1 else b"\x90\x04%b\x00\x01").replace(b"%b", body[:2])

    async with scripted(script) as server:
        link = link_to(server, filters=("signals/v1/trade/+/+",))
        async with task(link.run(nothing, lambda: None)):
            await eventually(lambda: link.connected)
        assert len(server.connects) == 2


async def test_the_window_stays_below_what_the_broker_receives() -> None:
    def small(kind: int, version: int, body: bytes) -> bytes:
        if kind == CONNECT:
            return b"\x20\x06\x00\x00\x03\x21\x00\x05"
        return b""

    async with scripted(small) as broker:
        link = link_to(broker)
        async with task(link.run(nothing, lambda: None)):
            await eventually(lambda: link.connected)
            in_flight = [link.publish("a", b"") for _ in range(link.free)]

            assert len(in_flight) == 3
            with pytest.raises(LinkLost):
                link.publish("a", b"")
    assert all(isinstance(future.exception(), LinkLost) for future in in_flight)


async def test_the_override_is_where_gmqtt_calls_it() -> None:
    acknowledgements = Acknowledgements()
    client = gmqtt.Client("bot", persistent_storage=acknowledgements)
    tell_reasons(client, acknowledgements)
    acknowledgements.push_message(7, b"")
    sent = acknowledgements.newest

    client._package_handler._handle_packet(0x40, b"\x00\x07\x97")

    assert await sent == 0x97


async def test_a_gmqtt_without_the_overridden_method_is_refused() -> None:
    with pytest.raises(ImportError, match=r"gmqtt==0\.8\.0"):
        tell_reasons(object(), Acknowledgements())


async def test_a_broker_that_spoke_mqtt_5_before_and_is_silent_once_is_spoken_to_in_5_again() -> None:
    def script(kind: int, version: int, body: bytes) -> bytes:
        return b"" if len(server.connects) == 2 else accept(kind, version, body)

    async with scripted(script) as server:
        broker = MqttBroker()
        settings = LinkSettings(
            host="127.0.0.1", port=server.port, client_id="bot", connect_timeout=0.3, backoff=(0.01, 0.05)
        )
        for _ in range(2):
            link = broker.link(settings)
            async with task(link.run(nothing, lambda: None)):
                await eventually(lambda link=link: link.connected)

    assert server.connects == [5, 5, 5]


@pytest.mark.parametrize(("stable", "tops"), [(0.0, [0.2] * 4), (60.0, [0.2, 0.4, 0.8, 1.0])])
async def test_the_pauses_grow_while_connections_do_not_last_and_begin_anew_after_one_that_did(
    monkeypatch: pytest.MonkeyPatch, stable: float, tops: list[float]
) -> None:
    seen: list[float] = []
    monkeypatch.setattr(reconnecting, "STABLE", stable)
    monkeypatch.setattr(reconnecting.random, "uniform", lambda _, top: seen.append(top) or 0.0)

    async with scripted(lambda *packet: None if packet[0] == PUBLISH else accept(*packet)) as server:
        link = link_to(server, backoff=(0.2, 1.0), connect_timeout=5.0)
        async with task(link.run(nothing, lambda: link.publish("cut/me", b"") and None)):
            await eventually(lambda: len(seen) >= len(tops))

    assert seen[: len(tops)] == tops


async def test_a_refusal_after_the_first_success_is_retried_patiently_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with scripted(accept) as server:
        accepting = server._script

        def script(kind: int, version: int, body: bytes) -> bytes | None:
            if kind == PUBLISH:
                return None
            refused = kind == CONNECT and len(server.connects) in {2, 3}
            return b"\x20\x03\x00\x87\x00" if refused else accepting(kind, version, body)

        server._script = script
        link = link_to(server, patience=0.02, connect_timeout=5.0)
        async with task(link.run(nothing, lambda: None)) as running:
            await eventually(lambda: link.connected)
            link.publish("cut/me", b"")
            await eventually(lambda: len(server.connects) == 4 and link.connected)

            assert not running.done()
    assert caplog.text.count("is refused now, though it was accepted before") == 2

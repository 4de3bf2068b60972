"""What is said of a broker that is away, as several connections find it out, each for itself."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Iterator

import pytest

from bot_plugin.link import NoAnswer
from bot_plugin.outage import NOTHING_LISTENS, SILENCE, Outage, why_lost, why_not
from bot_plugin.reconnecting import MqttBroker
from bot_plugin.transport import LinkSettings
from tests.brokers import eventually, free_port

BOT = LinkSettings(host="broker", client_id="signals.demo.sig", who="bot demo")
SIG, CMD, PROBE = "sig", "cmd", "probe"


@pytest.fixture
def outage() -> Outage:
    return Outage()


class Ear(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[list[logging.LogRecord]]:
    caplog.set_level(logging.INFO, logger="bot_plugin.link")
    log, ear = logging.getLogger("bot_plugin.link"), Ear()
    log.addHandler(ear)
    yield ear.records
    log.removeHandler(ear)


def words(said: list[logging.LogRecord]) -> list[str]:
    return [record.getMessage() for record in said]


def test_a_loss_and_the_return_are_one_line_each_whoever_sees_them(
    outage: Outage, said: list[logging.LogRecord]
) -> None:
    """Two connections and the one that asks for the name: the return is told, as loudly, when none is wanting."""
    outage.lost(SIG, BOT, "it was closed")
    outage.lost(CMD, BOT, "it was closed")
    for _ in range(3):
        outage.missed(PROBE, BOT, NOTHING_LISTENS)
        outage.missed(CMD, BOT, SILENCE)
    for link in (PROBE, SIG, CMD):
        assert len(said) == 1
        outage.made(link, BOT)

    assert words(said) == [
        "bot demo lost the broker at broker:1883 (it was closed); trying again",
        "bot demo is connected to the broker at broker:1883 now",
    ]
    assert {record.levelno for record in said} == {logging.WARNING}


def test_a_broker_that_is_away_at_the_start_is_told_once(outage: Outage, said: list[logging.LogRecord]) -> None:
    """And the connection, when it comes."""
    for _ in range(3):
        outage.missed(PROBE, BOT, NOTHING_LISTENS)
    outage.made(PROBE, BOT)

    assert words(said) == [
        f"bot demo cannot connect to the broker at broker:1883 ({NOTHING_LISTENS}); trying again",
        "bot demo is connected to the broker at broker:1883 now",
    ]


def test_a_new_reason_is_told(outage: Outage, said: list[logging.LogRecord]) -> None:
    """A broker that comes back with another certificate is not hidden behind its restart."""
    outage.lost(SIG, BOT, "it was closed")
    outage.missed(SIG, BOT, NOTHING_LISTENS)
    for _ in range(2):
        outage.missed(SIG, BOT, "certificate verify failed")

    assert len(said) == 2
    assert "certificate verify failed" in words(said)[1]


def test_without_an_outage_nothing_is_said(outage: Outage, said: list[logging.LogRecord]) -> None:
    """A connection that stands at once, or that is given up, is no news."""
    outage.made(SIG, BOT)
    outage.given_up(SIG, BOT, others=True)

    assert said == []


@pytest.mark.parametrize(("others", "lines"), [(True, 2), (False, 1)])
def test_a_connection_that_is_given_up_is_waited_for_no_more(
    outage: Outage, said: list[logging.LogRecord], *, others: bool, lines: int
) -> None:
    """The return is told where another one stands, and never by a bot that ends while the broker is away."""
    outage.lost(SIG, BOT, "it was closed")
    outage.lost(CMD, BOT, "it was closed")
    if others:
        outage.made(SIG, BOT)
    else:
        outage.given_up(SIG, BOT, others=False)
    outage.given_up(CMD, BOT, others=others)

    assert len(said) == lines


def test_a_second_outage_is_told_as_the_first(outage: Outage, said: list[logging.LogRecord]) -> None:
    """Two lines for each."""
    for _ in range(2):
        outage.lost(SIG, BOT, "it was closed")
        outage.made(SIG, BOT)

    assert words(said)[:2] == words(said)[2:]
    assert len(said) == 4


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"), NOTHING_LISTENS),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 1), [Errno 111] …"), NOTHING_LISTENS),
        (NoAnswer("no answer to MQTT 5"), SILENCE),
        (TimeoutError(), SILENCE),
        (socket.gaierror(-2, "Name unknown"), "no machine of that name is known (Name unknown)"),
        (ConnectionRefusedError("Server unavailable"), "Server unavailable"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "Network is unreachable"),
        (OSError(), "OSError"),
    ],
)  # fmt: skip
def test_why_there_is_no_connection_is_said_in_words(error: OSError, expected: str) -> None:
    """No errno, no address twice."""
    assert why_not(error) == expected


@pytest.mark.parametrize(
    ("code", "broken", "expected"),
    [
        (None, None, "the connection was closed at the broker's side"),
        (None, ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "Connection reset by peer"),
        (0x8B, None, "the broker is shutting down"),
        (0x97, None, "the broker ended the connection (reason 0x97)"),
    ],
)
def test_why_a_connection_ended_is_said_in_words(code: int | None, broken: Exception | None, expected: str) -> None:
    """What the broker gave as its reason comes first."""
    assert why_lost(code, broken) == expected


async def test_a_broker_that_nobody_has_started_is_told_once_by_two_links(
    said: list[logging.LogRecord], caplog: pytest.LogCaptureFixture
) -> None:
    """The attempts go on, and cost the terminal nothing."""
    port = free_port()
    broker = MqttBroker()
    settings = LinkSettings(host="127.0.0.1", port=port, client_id="a", who="bot demo", backoff=(0.001, 0.002))
    caplog.set_level(logging.DEBUG, logger="bot_plugin.link")
    running = [asyncio.ensure_future(broker.link(settings).run(_ignore, lambda: None)) for _ in range(2)]
    await eventually(lambda: len(said) > 6)
    for each in running:
        each.cancel()
    await asyncio.wait(running)

    warned = [record.getMessage() for record in said if record.levelno == logging.WARNING]
    assert warned == [f"bot demo cannot connect to the broker at 127.0.0.1:{port} ({NOTHING_LISTENS}); trying again"]


async def _ignore(_: object) -> None:
    """Listen to nothing."""

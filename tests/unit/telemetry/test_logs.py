"""Lines leave the process as JSON or for a terminal, without secrets, and never hold anything up."""

from __future__ import annotations

import json
import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry import LineSink, LogSettings, configure
from gateway.telemetry.logs import redacted
from schemas.secrets import REDACTED

TOKEN = "sg_Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MDEyMzQ1Njc4OTA"
Read = Callable[[], str]


@pytest.fixture(autouse=True)
def _untouched_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture
def start() -> Iterator[Callable[..., Read]]:
    """Configure logging into a pipe; what it returns closes the sink and reads all lines."""
    ends: list[int] = []

    def start(**settings: str) -> Read:
        reader, writer = os.pipe()
        ends.extend((reader, writer))
        sink = configure(LogSettings(**settings), fd=writer)

        def read() -> str:
            sink.close()
            return os.read(reader, 1 << 16).decode()

        return read

    yield start
    for end in ends:
        os.close(end)


def test_a_line_is_one_json_object_with_level_time_and_facts(start: Callable[..., Read]) -> None:
    read = start(format="json")
    structlog.get_logger().info("accepted", id="s1", source="btc", text="a\nb")
    (line,) = read().splitlines()
    document = json.loads(line)
    assert document.pop("at").endswith("Z")
    assert document == {"event": "accepted", "level": "info", "id": "s1", "source": "btc", "text": "a\nb"}


def test_a_pipe_is_no_terminal_and_gets_json(start: Callable[..., Read]) -> None:
    read = start()
    structlog.get_logger().info("x")
    assert json.loads(read())["event"] == "x"


def test_what_is_below_the_level_is_not_written(start: Callable[..., Read]) -> None:
    read = start(level="warning", format="json")
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert [json.loads(line)["event"] for line in read().splitlines()] == ["loud"]


def test_the_standard_librarys_lines_come_through_the_same_door(start: Callable[..., Read]) -> None:
    read = start(format="json")
    logging.getLogger("some.library").warning("it is %s with %s", "odd", TOKEN)
    document = json.loads(read())
    assert document["event"] == f"it is odd with {REDACTED}"
    assert (document["logger"], document["level"]) == ("some.library", "warning")


def test_an_exception_of_a_library_keeps_its_traceback_and_loses_its_secret(start: Callable[..., Read]) -> None:
    read = start(format="json")
    try:
        int(TOKEN)
    except ValueError:
        logging.getLogger("lib").exception("failed")
    text = read()
    assert "Traceback" in text
    assert TOKEN not in text


def test_a_record_whose_arguments_do_not_fit_is_logged_all_the_same(start: Callable[..., Read]) -> None:
    read = start(format="json")
    logging.getLogger("lib").warning("%d items", "no")
    assert json.loads(read())["event"] == "%d items"


@pytest.mark.parametrize("library", ["gmqtt", "amqtt.broker", "aiohttp.server", "transitions"])
def test_libraries_that_narrate_are_heard_from_warning_on(start: Callable[..., Read], library: str) -> None:
    read = start(format="json", level="debug")
    logging.getLogger(library).info("chatter")
    logging.getLogger(library).warning("trouble")
    assert [json.loads(line)["event"] for line in read().splitlines()] == ["trouble"]


def test_warnings_of_python_are_lines_too(start: Callable[..., Read]) -> None:
    read = start(format="json")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old thing", UserWarning, stacklevel=1)
    assert "old thing" in read()


@pytest.mark.parametrize("key", ["token", "Authorization", "api_key", "passphrase"])
@pytest.mark.parametrize("format_", ["json", "console"])
def test_a_value_whose_key_names_a_secret_is_redacted(start: Callable[..., Read], key: str, format_: str) -> None:
    read = start(format=format_)
    structlog.get_logger().info("x", **{key: "hunter2"})
    text = read()
    assert REDACTED in text
    assert "hunter2" not in text


@pytest.mark.parametrize("format_", ["json", "console"])
def test_a_secret_inside_a_value_is_redacted(start: Callable[..., Read], format_: str) -> None:
    read = start(format=format_)
    structlog.get_logger().warning(
        "x", headers={"Authorization": "Bearer hunter2"}, path="/hooks/btc/hunter2?key=hunter2"
    )
    assert "hunter2" not in read()


def test_a_terminal_is_not_sent_control_characters_of_others(start: Callable[..., Read]) -> None:
    read = start(format="console")
    structlog.get_logger().info("x", text="\x1b]0;owned\x07", items=["\x1b[2J"])
    text = read()
    assert "\x1b]0;" not in text
    assert "\x1b[2J" not in text
    assert "\\x1b]0;owned\\x07" in text


@pytest.mark.parametrize(
    "text",
    [
        "POST /hooks/btc-breakout/SECRETSECRET HTTP/1.1",
        'path="/hooks/btc/SECRETSECRET"',
        "https://x.example/hooks/btc/SECRETSECRET/",
        "/hooks/btc?key=SECRETSECRET&x=1",
        "/api/tv_webhook/?api_key=SECRETSECRET",
        "Authorization: Bearer SECRETSECRET",
        '{"authorization":"Basic SECRETSECRET"}',
        '{\\"Authorization\\": \\"Bearer SECRETSECRET\\"}',
        "authorization=SECRETSECRET",
        "sent bearer SECRETSECRET to it",
        "token sg_SECRETSECRET",
        "'sg_live_abc_SECRETSECRET'",
    ],
)
def test_what_looks_like_a_secret_is_redacted(text: str) -> None:
    assert "SECRETSECRET" not in redacted(text)
    assert REDACTED in redacted(text)


@pytest.mark.parametrize(
    "text", ["accepted msg_breakout_strategy", "GET /hooks/btc", "the signal_gateway_x metric", ""]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


@given(st.text(alphabet="ABCDEFGHabcdefgh0123456789_-", min_size=16, max_size=60), st.text(), st.text())
def test_no_token_survives_whatever_is_around_it(token: str, before: str, after: str) -> None:
    assert f"sg_{token}" not in redacted(f"{before} sg_{token} {after}")


def test_a_broken_pipe_stops_nobody() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    sink = LineSink(writer)
    sink.write("lost")
    deadline = time.monotonic() + 5
    while not sink.dropped and time.monotonic() < deadline:
        time.sleep(0.01)
    sink.write("lost too")
    sink.close()
    os.close(writer)
    assert sink.dropped == 2


def test_a_reader_that_stands_still_holds_nobody_up_and_what_does_not_fit_is_counted() -> None:
    reader, writer = os.pipe()
    sink = LineSink(writer)
    began = time.perf_counter()
    for _ in range(60_000):
        sink.write("x" * 50)
    assert time.perf_counter() - began < 5
    assert sink.dropped > 0
    os.close(reader)
    sink.close()
    os.close(writer)


def test_closing_writes_what_waits_in_order(tmp_path: Path) -> None:
    path = tmp_path / "log"
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    sink = LineSink(fd)
    for number in range(1000):
        sink.write(str(number))
    sink.close()
    os.close(fd)
    assert path.read_text().splitlines() == [str(number) for number in range(1000)]

"""The log handler: which lines it forwards, what they hold, and that it can neither recurse nor raise."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from bot_plugin import PluginSettings
from bot_plugin.telemetry import Telemetry
from bot_plugin.telemetry.log_handler import OWN, TelemetryLogHandler
from schemas.telemetry import LogLine, read

SETTINGS: dict[str, Any] = {"bot": "demo", "username": "demo", "password": "hunter2"}


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry(PluginSettings(**SETTINGS), now=lambda: 0)


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("strategy.mine")
    logger.setLevel(logging.DEBUG)
    yield logger
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def lines(telemetry: Telemetry) -> list[LogLine]:
    found = []
    while (payload := telemetry._outbox.take("log")) is not None:
        line = read("log", payload)
        assert isinstance(line, LogLine)
        found.append(line)
    return found


def caught(error: Exception) -> Exception:
    """An error with a traceback."""
    try:
        raise error
    except type(error) as raised:
        return raised


def test_a_line_has_its_level_its_logger_its_time_and_its_arguments(
    telemetry: Telemetry, logger: logging.Logger
) -> None:
    logger.addHandler(telemetry.log_handler())
    logger.warning("order %s is late", "x-1")

    [line] = lines(telemetry)

    assert (line.msg, line.level, line.level_name, line.logger) == ("order x-1 is late", 30, "WARNING", "strategy.mine")
    assert line.at is not None
    assert line.at > 1_700_000_000_000_000


def test_an_error_brings_its_traceback(telemetry: Telemetry, logger: logging.Logger) -> None:
    logger.addHandler(telemetry.log_handler())
    logger.error("the order failed", exc_info=caught(ValueError("no balance")))

    [line] = lines(telemetry)

    assert line.msg.startswith("the order failed\nTraceback")
    assert line.msg.endswith("ValueError: no balance")


@pytest.mark.parametrize(
    ("chosen", "forwarded"),
    [
        ({}, ["strategy", "strategy.mine", "aiohttp", "strategist"]),
        ({"loggers": ("strategy",)}, ["strategy", "strategy.mine"]),
        ({"loggers": "strategy"}, ["strategy", "strategy.mine"]),
        ({"exclude": ["aiohttp", "strategy.mine"]}, ["strategy", "strategist"]),
        ({"loggers": ("strategy",), "exclude": ("strategy.mine",)}, ["strategy"]),
    ],
)
def test_loggers_are_chosen_with_those_below_them(
    telemetry: Telemetry, chosen: dict[str, Any], forwarded: list[str]
) -> None:
    handler = telemetry.log_handler(**chosen)
    for name in ("strategy", "strategy.mine", "aiohttp", "strategist", OWN):
        handler.handle(logging.makeLogRecord({"name": name, "levelno": 20, "levelname": "INFO", "msg": "x"}))

    assert [line.logger for line in lines(telemetry)] == forwarded


def test_a_level_is_chosen(telemetry: Telemetry, logger: logging.Logger) -> None:
    logger.addHandler(telemetry.log_handler(level="ERROR"))
    logger.warning("no")
    logger.error("yes")

    assert [line.msg for line in lines(telemetry)] == ["yes"]


def test_the_bots_own_password_is_in_no_line_however_it_got_there(telemetry: Telemetry, logger: logging.Logger) -> None:
    logger.addHandler(telemetry.log_handler())
    logger.info("connecting as %s", SETTINGS)
    logger.info("%shunter2%s", "x" * 50_000, "y" * 50_000)
    logger.error("hunter2", exc_info=caught(ConnectionError("mqtt://demo:hunter2@broker")))

    assert "hunter2" not in "".join(line.msg for line in lines(telemetry))


def test_a_line_that_cannot_be_formatted_disturbs_nobody(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str]
) -> None:
    record = {"name": "strategy", "levelno": 20, "levelname": "INFO", "msg": "%d", "args": ("no number",)}
    telemetry.log_handler().handle(logging.makeLogRecord(record))

    assert lines(telemetry) == []
    assert "--- Logging error ---" in capsys.readouterr().err


def test_a_text_that_is_no_unicode_is_forwarded_as_far_as_it_is(
    telemetry: Telemetry, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger, "propagate", False)  # pytest-xdist cannot pass on what pytest would capture of it
    logger.addHandler(telemetry.log_handler())
    logger.info("file \udcff")

    assert [line.msg for line in lines(telemetry)] == ["file ?"]


def test_what_telemetry_says_of_its_own_trouble_is_not_forwarded(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    root = logging.getLogger()
    handler = telemetry.log_handler()
    root.addHandler(handler)
    try:
        telemetry.event("OrderFilled", 7)
    finally:
        root.removeHandler(handler)

    assert lines(telemetry) == []
    assert "cannot be told" in caplog.text


def test_a_finaliser_that_logs_while_a_line_is_taken_in_waits_for_nobody(
    logger: logging.Logger, request: pytest.FixtureRequest
) -> None:
    gc.disable()  # but for the collection below
    request.addfinalizer(gc.enable)
    told: list[str] = []

    class Leaving:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            logger.info("freed")

    def tell(line: LogLine) -> None:
        told.append(line.msg)
        if line.msg == "first":
            gc.collect()

    logger.addHandler(TelemetryLogHandler(tell))
    Leaving()
    logger.info("first")

    assert told == ["first", "freed"]


def test_switched_off_it_forwards_nothing(logger: logging.Logger) -> None:
    telemetry = Telemetry(PluginSettings(**SETTINGS, logger=False), now=lambda: 0)
    logger.addHandler(telemetry.log_handler())
    logger.error("x")

    assert lines(telemetry) == []


def test_a_line_from_within_the_outbox_waits_for_no_other_thread(telemetry: Telemetry, logger: logging.Logger) -> None:
    """Finalisers log, as a task's does, in whichever thread and wherever that is."""
    formatting, inside = threading.Event(), threading.Event()

    class Slow(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            if record.msg == "other":
                formatting.set()
                inside.wait(5)
            return super().format(record)

    def finalise() -> None:
        inside.set()
        logger.info("finaliser")

    handler = telemetry.log_handler()
    handler.setFormatter(Slow())
    logger.addHandler(handler)
    telemetry._outbox.wake(finalise)
    threads = [
        threading.Thread(target=tell, args=(text,), daemon=True)
        for tell, text in ((logger.info, "other"), (telemetry.notify, "filled"))
    ]
    for thread in threads:
        thread.start()
        formatting.wait(5)
    for thread in threads:
        thread.join(5)

    assert not any(thread.is_alive() for thread in threads)
    assert sorted(line.msg for line in lines(telemetry)) == ["finaliser", "other"]

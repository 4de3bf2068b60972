"""Errors that are logged in place of being raised are heard by whoever asked for what failed, and by nobody else."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from bot_plugin.hummingbot.internals.overheard import Overheard


@pytest.fixture
def logger() -> logging.Logger:
    return logging.Logger("test", level=logging.DEBUG)  # noqa: LOG001  # known to nobody else


def fail(words: str) -> None:
    raise ValueError(words)


def swallow(logger: logging.Logger, words: str) -> None:
    try:
        fail(words)
    except ValueError as error:
        logger.error("it failed: %s", error)  # noqa: TRY400
        logger.error("again", exc_info=True)  # noqa: G201


def test_the_error_itself_is_heard_once_with_every_message(logger: logging.Logger) -> None:
    """Its type and its cause are known then, as if it had been raised; what is no error is not noted."""
    with Overheard(logger) as heard:
        logger.warning("a warning")
        swallow(logger, "no price")
        logger.error("without one")
    swallow(logger, "afterwards")

    assert [repr(error) for error in heard.errors] == ["ValueError('no price')"]
    assert heard.messages == ["it failed: no price", "again", "without one"]


def test_records_go_on_to_their_handlers(logger: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    """Listening changes nothing for the log."""
    logger.addHandler(caplog.handler)
    with Overheard(logger):
        swallow(logger, "no price")
    assert caplog.messages == ["it failed: no price", "again"]


def test_a_logger_that_a_new_set_up_silenced_is_heard(logger: logging.Logger) -> None:
    """Hummingbot's logging configuration switches off what it does not name."""
    logger.disabled = True
    with Overheard(logger) as heard:
        swallow(logger, "no price")
    assert len(heard.errors) == 1


async def test_what_other_tasks_and_threads_log_meanwhile_is_theirs(logger: logging.Logger) -> None:
    """A connector's own trouble does not make a start fail."""

    async def trouble() -> None:
        swallow(logger, "of another task")

    with Overheard(logger) as heard:
        await asyncio.create_task(trouble())
        thread = threading.Thread(target=swallow, args=(logger, "of another thread"))
        thread.start()
        thread.join()
    assert (heard.errors, heard.messages) == ([], [])

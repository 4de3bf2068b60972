"""What a listener in a thread says of its end, and to whom."""

from __future__ import annotations

import asyncio
import threading

import pytest

from bot_plugin import NameTaken
from bot_plugin.threaded import ThreadedListener
from tests.brokers import eventually

TAKEN = NameTaken("demo", "it holds a lock")


def test_what_ends_it_at_the_start_is_raised_and_not_logged_too(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever starts it is told, once."""

    async def run() -> None:
        raise TAKEN

    with pytest.raises(NameTaken):
        ThreadedListener(run, stop=lambda: None, up=threading.Event()).start()

    assert caplog.records == []


async def test_what_ends_it_later_is_logged_when_it_happens(caplog: pytest.LogCaptureFixture) -> None:
    """A strategy that only ticks may look at it late."""
    up, end = threading.Event(), threading.Event()

    async def run() -> None:
        up.set()
        await asyncio.to_thread(end.wait)
        raise TAKEN

    listener = ThreadedListener(run, stop=lambda: None, up=up)
    listener.start()
    end.set()
    await eventually(lambda: listener.error is TAKEN)
    await eventually(lambda: caplog.records)

    assert [record.getMessage() for record in caplog.records] == [f"the listener has ended: {TAKEN}"]
    with pytest.raises(NameTaken):
        listener.stop()

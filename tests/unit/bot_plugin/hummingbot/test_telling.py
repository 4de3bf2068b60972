"""What the stock bridge has too is told once, whatever becomes of the bridge."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import pytest

from bot_plugin.hummingbot import telling
from bot_plugin.hummingbot.telling import Doubles, LogRelay, Notifier


@dataclass
class Stock:
    """A stock bridge, as the plugin sees it."""

    bridge: object | None = field(default_factory=object)
    connected: bool = False
    told: list[str] = field(default_factory=list)

    @property
    def doubles(self) -> Doubles:
        return Doubles(lambda: self.bridge, lambda: self.connected)


def test_a_connected_bridge_tells_it_alone() -> None:
    """Nothing waits, and nothing is told by the plugin, also when the bridge goes later."""
    stock = Stock(connected=True)
    doubles = stock.doubles
    doubles.put(lambda: stock.told.append("a"))
    stock.bridge, stock.connected = None, False
    doubles.settle()

    assert stock.told == []


def test_a_bridge_that_connects_tells_what_it_had_before() -> None:
    """It queues what it cannot send yet."""
    stock = Stock()
    doubles = stock.doubles
    doubles.put(lambda: stock.told.append("a"))
    doubles.settle()
    stock.connected = True
    doubles.settle()
    stock.bridge, stock.connected = None, False
    doubles.settle()

    assert stock.told == []


@pytest.mark.parametrize("later", [None, object()])
def test_what_a_bridge_had_that_never_connected_is_told_in_order(later: object | None) -> None:
    """Its queue is lost with it, whether another comes or not."""
    stock = Stock()
    doubles = stock.doubles
    for text in "abc":
        doubles.put(lambda text=text: stock.told.append(text))
    stock.bridge = later
    doubles.settle()
    doubles.settle()

    assert stock.told == ["a", "b", "c"]


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it the oldest is told: twice is better than never."""
    monkeypatch.setattr(telling, "MOST", 2)
    stock = Stock()
    doubles = stock.doubles
    for text in "abcd":
        doubles.put(lambda text=text: stock.told.append(text))

    assert stock.told == ["a", "b"]


def test_telling_may_tell() -> None:
    """A line that is told as a bridge goes may itself cause one."""
    stock = Stock()
    doubles = stock.doubles
    doubles.put(lambda: (stock.told.append("a"), doubles.put(lambda: stock.told.append("b"))))
    stock.bridge = object()
    doubles.settle()
    stock.bridge = None
    doubles.settle()

    assert stock.told == ["a", "b"]


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def test_log_lines_that_the_bridge_lacks_are_forwarded_at_once() -> None:
    """Only those that it has wait for what becomes of it."""
    kept, stock = Kept(), Stock()
    doubles = stock.doubles
    relay = LogRelay(kept, lambda record: record.name == "doubled", doubles)
    for name in ("doubled", "other"):
        relay.handle(logging.LogRecord(name, logging.INFO, "f.py", 1, "from %s", (name,), None))
    assert kept.lines == ["from other"]
    stock.bridge = None
    doubles.settle()

    assert kept.lines == ["from other", "from doubled"]


def test_a_notifier_has_both_names_of_hummingbots_versions_and_hears_of_starts() -> None:
    """Hummingbot starts its notifiers right after it has set up its logging anew."""
    told: list[str] = []
    notifier = Notifier(told.append, lambda: told.append("set up"))
    notifier.start()
    notifier.add_message_to_queue("a")
    notifier.add_msg_to_queue("b")
    notifier.stop()

    assert told == ["set up", "a", "b"]

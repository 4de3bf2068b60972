"""The Python line of a bot's login makes the listener that it promises."""

from __future__ import annotations

from bot_plugin import PluginSettings, SignalListener
from gateway.config.handout import Handout


def test_the_python_line_runs_and_holds_every_setting():
    handout = Handout(
        bot="b1", password='pa"ss\\word', host="broker", port=8883, root="a/b", namespace="ns",
        version="3.1.1", tls=True, sources=("x", "y"),
    )  # fmt: skip
    names: dict[str, object] = {"SignalListener": SignalListener, "PluginSettings": PluginSettings}

    exec(handout.python, names)

    expected = PluginSettings(
        bot="b1", password='pa"ss\\word', username="b1", host="broker", port=8883, root="a/b", namespace="ns",
        mqtt_version="3.1.1", tls=True, sources=("x", "y"),
    )  # fmt: skip
    assert names["listener"].settings == expected

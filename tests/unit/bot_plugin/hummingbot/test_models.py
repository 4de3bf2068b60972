"""What is said of changes of Hummingbot's models that take effect later."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot_plugin.hummingbot.internals.models import ModelChanges


def later(*keys: str) -> str:
    changes = tuple((key, 1) for key in keys)
    made = ModelChanges(config=None, path=Path("conf_client.yml"), changes=changes, save=lambda *_: None)
    return "; ".join(made.later)


@pytest.mark.parametrize("key", ["mqtt_bridge.mqtt_host", "mqtt_bridge.mqtt_password", "instance_id"])
def test_a_change_of_the_login_says_that_it_may_lock_the_bot_out(key: str) -> None:
    """Nothing tries it before the next start, and no command mends it after."""
    assert later("tick_size", key) == (
        f"{key} when Hummingbot is started; tick_size when a strategy is started; a value that is wrong keeps the bot "
        "off the broker then, beyond the reach of commands, until conf_client.yml is mended by hand"
    )


def test_a_change_that_can_be_taken_back_by_a_command_warns_of_nothing() -> None:
    """Of what counts at once, nothing at all is said."""
    assert later("gateway.gateway_api_port", "log_level") == "gateway.gateway_api_port when Hummingbot is started"
    assert later("log_level") == ""

"""Starts the application as Hummingbot's own quickstart script does, and ends it properly."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hummingbot.client import runner, settings
from hummingbot.client.config import config_helpers
from hummingbot.client.config.config_crypt import ETHKeyFileSecretManger, store_password_verification
from hummingbot.client.config.security import Security
from hummingbot.client.ui import login_prompt
from hummingbot.client.ui.style import load_style
from hummingbot.core.event.event_listener import EventListener
from hummingbot.core.event.events import HummingbotUIEvent

from bot_plugin.hummingbot.internals.fit import offers, require
from bot_plugin.hummingbot.terms.faults import why
from bot_plugin.hummingbot.unstarted import Unstarted

log = logging.getLogger("bot_plugin.hummingbot")

_LOOK = 0.05
_SENDS = 2.0
"""Seconds that the stock bridge has at the end to send what waits."""


def own(user_and_group: str) -> None:
    """Give Hummingbot's folders to a user, and become it: ``UID:GID``."""
    require(runner, "autofix_permissions")(user_and_group)


def secrets_of(password: str | None) -> Any | None:
    """What unlocks the exchanges' keys; the terminal is asked where no password is given. None where it gave up.

    The first password that a folder sees becomes its own.

    Raises:
        Unstarted: the password is wrong.
    """
    if password is None:
        return login_prompt(ETHKeyFileSecretManger, style=load_style(_configuration()))
    secrets = ETHKeyFileSecretManger(password)
    if Security.new_password_required():
        store_password_verification(secrets)
    if not Security.login(secrets):
        raise Unstarted("the password is not the one that this folder was set up with")
    return secrets


def _configuration() -> Any:
    """Hummingbot's ``conf_client.yml``.

    Raises:
        Unstarted: naming the file, and each field that is wrong in it or the line.
    """
    try:
        return require(config_helpers, "load_client_config_map_from_file")()
    except (ValueError, require(config_helpers, "yaml.YAMLError")) as error:
        raise Unstarted(f"{settings.CLIENT_CONFIG_PATH}: {why(error)}") from None


async def application_of(secrets: Any, *, headless: bool) -> Any:
    """Make the application; the stock bridge, which it would start by itself, waits for ``bridge_up``.

    Raises:
        Unstarted: the password, or ``conf_client.yml``, is wrong.
    """
    configuration = _configuration()
    with _bridge_waits(configuration):
        application = await require(runner, "bootstrap_application")(configuration, secrets, headless=headless)
    if application is None:
        raise Unstarted("the password is not the one that this folder was set up with")
    return application


@contextmanager
def _bridge_waits(configuration: Any) -> Iterator[None]:
    block = require(configuration, "mqtt_bridge")
    wanted = require(block, "mqtt_autostart")
    block.mqtt_autostart = False
    try:
        yield
    finally:
        block.mqtt_autostart = wanted


async def bridge_up(application: Any, *, within: float) -> None:
    """Start the stock bridge where ``mqtt_autostart`` says so; return when it is connected, or after a time (seconds).

    It is called when nobody else has the bot's name: the bridge would take the other's connection over.
    What listens to it before it is there is told that it is offline.
    """
    until = asyncio.get_running_loop().time() + within
    if require(application, "client_config_map.mqtt_bridge.mqtt_autostart"):
        require(application, "mqtt_start")()
    while require(application, "client_config_map.mqtt_bridge.mqtt_autostart"):
        bridge = require(application, "_mqtt")
        if (bridge is not None and bridge.health) or asyncio.get_running_loop().time() > until:
            return
        await asyncio.sleep(_LOOK)


async def load(application: Any, *, v2: str | None, v1: str | None) -> None:
    """Load a strategy for the terminal, whose screen starts it.

    Raises:
        Unstarted: it cannot be; Hummingbot's log says why.
    """
    if not await require(runner, "load_and_start_strategy")(application, config_file_name=v1, v2_conf=v2):
        raise Unstarted(f"{v2 or v1} could not be loaded; the lines above and the folder logs say why")


def log_level(application: Any) -> str:
    """How much is logged, as ``conf_client.yml`` says."""
    return str(require(application, "client_config_map.log_level"))


async def gateway_ready(application: Any) -> None:
    """Return when Hummingbot's Gateway is there, where a connector needs it."""
    await require(runner, "wait_for_gateway_ready")(application)


class WhenShown(EventListener):  # type: ignore[misc]  # it has no types
    """Is called when the terminal's screen is there."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__()
        self._act = act

    def __call__(self, _: object) -> None:
        """Act; Hummingbot's event says nothing more."""
        self._act()


async def show(application: Any, *, when_shown: Callable[[], None]) -> None:
    """Run the terminal's screen until its user exits."""
    listener = WhenShown(when_shown)  # which is held weakly
    require(application, "app.add_listener")(HummingbotUIEvent.Start, listener)
    await require(application, "run")()
    del listener


def start_shown(application: Any, v2: str | None) -> None:
    """Start what was loaded, as the command ``start`` of the terminal does."""
    require(application, "start")(v2_conf=v2, is_quickstart=True)


def leave(application: Any) -> None:
    """Close the terminal's screen."""
    require(application, "app.exit")()


async def wind_down(application: Any) -> None:
    """Stop the strategy, cancel its orders, and end what trades."""
    core = require(application, "trading_core")
    if core._strategy_running or core.connectors:
        await _attempt(require(application, "stop_loop")(), "the strategy was not stopped as it should be")
    await _attempt(require(core, "shutdown")(), "Hummingbot did not end as it should")


async def stop_bridge(application: Any) -> None:
    """Disconnect the stock bridge, where there is one, when it has sent what it has: the last orders' ends."""
    if (bridge := require(application, "_mqtt")) is None:
        return
    if bridge.health and offers(bridge, "_outgoing.empty"):
        until = asyncio.get_running_loop().time() + _SENDS
        while not bridge._outgoing.empty() and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110  # not ours
            await asyncio.sleep(_LOOK)
        await asyncio.sleep(_LOOK)
    await _attempt(require(application, "stop_mqtt_async")(), "the stock bridge did not end as it should")


async def _attempt(doing: Any, words: str) -> None:
    try:
        await doing
    except Exception:
        log.exception("%s", words)

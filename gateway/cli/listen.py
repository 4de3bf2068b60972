"""``listen``: shows every signal that reaches the broker, as bot ``demo`` may read it."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import click

from gateway.cli.failure import Exit, Failure
from gateway.cli.output import print_json, print_lines
from gateway.cli.session import Session, session_command
from gateway.cli.signal_line import signal_line
from gateway.config.initialise import DEMO
from gateway.config.permissions import BODIES
from gateway.config.settings import Settings
from gateway.mqtt.link import GmqttLink
from gateway.mqtt.model import LinkSettings, SubscriptionDenied
from schemas.envelope import decode
from schemas.errors import ContractError

_CONNECT_WITHIN = 6.0


@click.command()
@click.argument("filters", nargs=-1, metavar="[FILTER]...")
@session_command
def command(session: Session, filters: tuple[str, ...]) -> None:
    """Show every signal as it reaches the broker, or those of MQTT topic filters; Ctrl-C ends it.

    With --json, one document per line.
    """
    settings = session.settings()
    logging.getLogger("gmqtt").setLevel(logging.CRITICAL)
    wanted = filters or tuple(settings.topics.signal_filter(body) for body in BODIES)
    show = _show_json if session.as_json else _show_line
    with suppress(KeyboardInterrupt):
        asyncio.run(_listen(demo_link(settings), wanted, show=show, say=session.warn))


def demo_link(settings: Settings) -> LinkSettings:
    """How bot demo reaches the broker.

    Raises:
        Failure: there is no login of bot demo here.
    """
    file = settings.folder.bot_env(DEMO)
    try:
        pairs = dict(line.split("=", 1) for line in file.read_text(encoding="utf-8").splitlines() if "=" in line)
    except OSError as error:
        hint = f"run signal-gateway init, or, where it has a login, signal-gateway bots rotate {DEMO} --env-file {file}"
        raise Failure(Exit.CONFIGURATION, f"{file}: cannot be read ({error.strerror}): {hint}") from None
    return replace(
        settings.link,
        client_id=f"listen-{secrets.token_hex(4)}",
        username=pairs.get("SIGNAL_GATEWAY_MQTT_USERNAME"),
        password=pairs.get("SIGNAL_GATEWAY_MQTT_PASSWORD"),
        session_expiry=0,
    )


async def _listen(
    link_settings: LinkSettings,
    filters: tuple[str, ...],
    *,
    show: Callable[[str, bytes], Awaitable[None]],
    say: Callable[[list[str]], None],
) -> None:
    link = GmqttLink(link_settings)
    running = asyncio.create_task(link.run(), name="link")
    try:
        async with asyncio.timeout(_CONNECT_WITHIN):
            await link.wait_connected()
        for topic_filter in filters:
            await link.subscribe(topic_filter, show)
        say([f"listening at {link_settings.host}:{link_settings.port}; Ctrl-C ends it"])
        await running
    except TimeoutError:
        place = f"{link_settings.host}:{link_settings.port}"
        problem = f"no connection to the broker at {place}: {link.last_error}; is signal-gateway run running?"
        raise Failure(Exit.UNREACHABLE, problem) from None
    except SubscriptionDenied as denied:
        hint = f"docs/brokers.md says what a bot, such as {DEMO}, may read"
        raise Failure(Exit.REFUSED, f"{denied}; {hint}") from None
    except ValueError as error:
        raise Failure(Exit.USAGE, f"{error}") from None
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def _show_line(topic: str, payload: bytes) -> None:
    try:
        line = signal_line(decode(payload), now=datetime.now(UTC))
    except ContractError:
        line = f"{topic}  {payload.decode('utf-8', 'replace')}"
    print_lines([line])


async def _show_json(topic: str, payload: bytes) -> None:
    try:
        envelope: object = json.loads(payload)
    except ValueError:
        envelope = payload.decode("utf-8", "replace")
    print_json({"topic": topic, "payload": envelope}, indent=None)

"""``signal-gateway-hummingbot``: starts Hummingbot with the plugin, in place of its quickstart script."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot_plugin.commands import CommandFailed
from bot_plugin.errors import LinkRefused
from bot_plugin.hummingbot import attach
from bot_plugin.hummingbot.internals.fit import Unfit, importing
from bot_plugin.hummingbot.unstarted import Unstarted
from bot_plugin.program import MENDABLE
from schemas.command import Import, Start

if TYPE_CHECKING:
    from bot_plugin.hummingbot.adapter import Adapter
    from bot_plugin.settings import PluginSettings

PATIENCE = 10.0
"""Seconds that a strategy waits for the broker; then it is started, and goes on without it for now."""

_SWITCH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How Hummingbot is started.

    Args:
        v2: configuration of a V2 script, in ``conf/scripts``.
        v1: configuration of a V1 strategy, in ``conf/strategies``.
        password: unlocks the exchanges' keys; the terminal is asked where None.
        headless: without the terminal's screen.
        permissions: ``UID:GID`` to give Hummingbot's folders to.
        root: Hummingbot's folder.
    """

    v2: str | None = None
    v1: str | None = None
    password: str | None = field(default=None, repr=False)
    headless: bool = False
    permissions: str | None = None
    root: Path | None = None


def options(arguments: Sequence[str], environ: Mapping[str, str]) -> Options:
    """Read the options; the environment has those of Hummingbot's Docker image, which the command line wins over.

    Raises:
        SystemExit: they cannot be read, or help was asked for.
    """
    given = _parser().parse_args(arguments)
    named = {name: environ.get(name) or None for name in ("CONFIG_FILE_NAME", "SCRIPT_CONFIG", "CONFIG_PASSWORD")}
    headless = environ.get("HEADLESS_MODE", "").lower() == "true" if given.headless is None else given.headless
    return Options(
        v2=given.v2 or named["SCRIPT_CONFIG"],
        v1=given.config_file_name or named["CONFIG_FILE_NAME"],
        password=given.config_password or named["CONFIG_PASSWORD"],
        headless=headless,
        permissions=given.auto_set_permissions,
        root=given.root,
    )


def main() -> None:
    """Start Hummingbot, and run it until it is told to end.

    Raises:
        SystemExit: with one line, where the person who starts it can mend what is wrong.
    """
    wanted = options(sys.argv[1:], os.environ)
    if wanted.password is None and not sys.stdin.isatty():
        raise SystemExit("no password: give --config-password, or set CONFIG_PASSWORD")
    os.environ.pop("CONFIG_PASSWORD", None)  # programs that Hummingbot starts need not know it
    _find_hummingbot(wanted.root)
    try:
        _settle(wanted.root)
        _run(wanted)
    except (*MENDABLE, Unfit, CommandFailed, Unstarted) as error:
        raise SystemExit(str(error)) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="signal-gateway-hummingbot",
        description="Start Hummingbot with signals, remote commands and telemetry.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--v2",
        metavar="CONF",
        help="configuration of a V2 script, in conf/scripts; headless also a controller's or a V1 strategy's",
    )
    parser.add_argument("--config-file-name", "-f", metavar="CONF", help="of a V1 strategy, in conf/strategies")
    parser.add_argument("--config-password", "-p", metavar="PASSWORD", help="what unlocks the exchanges' keys")
    parser.add_argument("--headless", nargs="?", type=_switch, const=True, help="without the terminal's screen")
    parser.add_argument("--auto-set-permissions", metavar="UID:GID", help="give Hummingbot's folders to a user")
    parser.add_argument("--root", metavar="DIR", type=Path, help="Hummingbot's folder, with conf, data and scripts")
    return parser


def _switch(text: str) -> bool:
    if (read := _SWITCH.get(text.lower())) is None:
        raise argparse.ArgumentTypeError(f"true or false, not {text!r}")
    return read


def _find_hummingbot(root: Path | None) -> None:
    """Let a source tree that is not installed be imported: Hummingbot's Docker image has one.

    Raises:
        SystemExit: there is no Hummingbot.
    """
    for folder in filter(None, (root, Path.cwd())):
        if (folder / "hummingbot" / "__init__.py").exists():
            sys.path.insert(0, str(folder.resolve()))
            return
    if find_spec("hummingbot") is None:
        raise SystemExit(
            "Hummingbot is not installed in this Python environment: install signal-gateway into Hummingbot's, or name "
            "its folder with --root DIR"
        )


def _settle(root: Path | None) -> None:
    from bot_plugin.hummingbot.internals.folder import settle  # noqa: PLC0415  # now that Hummingbot is found

    try:
        settle(root)
    except OSError as error:
        raise Unstarted(str(error)) from None


def _run(wanted: Options) -> None:
    with importing():
        from bot_plugin.hummingbot.internals import boot  # noqa: PLC0415  # its folder is settled

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # Hummingbot asks for it before anything runs
    if wanted.permissions is not None:
        boot.own(wanted.permissions)
    if (secrets := boot.secrets_of(wanted.password)) is not None:
        loop.run_until_complete(_launched(wanted, secrets))


async def _launched(wanted: Options, secrets: Any) -> None:
    from bot_plugin.hummingbot.internals import boot  # noqa: PLC0415

    application = await boot.application_of(secrets, headless=wanted.headless)
    adapter = attach(application)
    try:
        reached = await adapter.up(within=PATIENCE)
        await boot.bridge_up(application, within=PATIENCE if reached else 0)
        ready = standing(adapter.settings, reached=reached)
        await (_headless(application, wanted, ready) if wanted.headless else _shown(application, adapter, wanted))
    except LinkRefused as error:
        raise Unstarted(refused(error, adapter.settings)) from None
    finally:
        await wind_down(application, adapter)


async def wind_down(application: Any, adapter: Adapter) -> None:
    """End the strategy, then what tells of it; while this is under way, nothing is started by a command."""
    from bot_plugin.hummingbot.internals import boot  # noqa: PLC0415

    try:
        await boot.wind_down(application)
        await boot.stop_bridge(application)
    finally:
        await adapter.stop()


def standing(settings: PluginSettings, *, reached: bool) -> str:
    """What a start that went well says: under which name, at which broker, and whether that is reached."""
    where = f"{settings.host}:{settings.port}"
    if reached:
        return f"ready as {settings.bot} on {where}"
    return f"started as {settings.bot}, but the broker at {where} is not reached yet: the plugin goes on trying"


def refused(error: LinkRefused, settings: PluginSettings) -> str:
    """What a broker's refusal means for whoever starts the bot: where its login stands, and what makes a new one."""
    return (
        f"{error} The login stands in mqtt_bridge of conf/conf_client.yml; where it is lost, signal-gateway bots "
        f"rotate {settings.bot} prints a new one"
    )


async def _headless(application: Any, wanted: Options, ready: str) -> None:
    """Run until a signal comes.

    Raises:
        CommandFailed: the strategy cannot be started.
    """
    from bot_plugin.hummingbot.commands.target import HummingbotTarget  # noqa: PLC0415
    from bot_plugin.hummingbot.internals import boot  # noqa: PLC0415

    told = asyncio.Event()
    _on_signals(told.set)
    target = HummingbotTarget(application)
    if wanted.v1 and not wanted.v2:
        await target.import_strategy(Import(strategy=wanted.v1))
    if wanted.v1 or wanted.v2:
        await target.start(Start(conf=wanted.v2, log_level=boot.log_level(application), is_quickstart=True))
    await boot.gateway_ready(application)
    sys.stdout.write(f"{ready}\n")
    sys.stdout.flush()
    await told.wait()


async def _shown(application: Any, adapter: Adapter, wanted: Options) -> None:
    from bot_plugin.hummingbot.internals import boot  # noqa: PLC0415

    if wanted.v2 or wanted.v1:
        await boot.load(application, v2=wanted.v2, v1=wanted.v1)
    await boot.gateway_ready(application)

    def begin() -> None:
        adapter.listen_to_logs()
        if wanted.v2 or wanted.v1:
            boot.start_shown(application, wanted.v2)

    _on_signals(lambda: boot.leave(application), numbers=(signal.SIGTERM,))  # Ctrl-C is the screen's
    await boot.show(application, when_shown=begin)


def _on_signals(act: Callable[[], object], *, numbers: tuple[int, ...] = (signal.SIGTERM, signal.SIGINT)) -> None:
    """Act at the first signal; a second one ends the process."""
    loop = asyncio.get_running_loop()

    def once() -> None:
        for number in numbers:
            loop.remove_signal_handler(number)
        act()

    with suppress(NotImplementedError):  # Windows
        for number in numbers:
            loop.add_signal_handler(number, once)

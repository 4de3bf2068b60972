"""``bots start`` and the other commands to a bot, through the running gateway."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from functools import wraps
from typing import Any

import click

from gateway.cli import reply_lines
from gateway.cli.commanding import command_bot
from gateway.cli.session import Session, session_command
from schemas.fields import exact_text

COMMANDS: list[click.Command] = []
"""What ``bots`` has of these."""

_NUMBERS = {"ignore_unknown_options": True}
"""So that ``-1`` is an amount, and no option."""

_NO_WAIT = click.option("--no-wait", is_flag=True, help="Let the bot answer before it is done.")


def bot_command(
    word: str, *, context_settings: dict[str, Any] | None = None
) -> Callable[[Callable[..., None]], click.Command]:
    """Make a function a command to a bot: its first arguments are a session, the bot's name and the timeout."""

    def make(function: Callable[..., None]) -> click.Command:
        @click.argument("name")
        @click.option(
            "--timeout", type=click.FloatRange(1, 60), default=35.0, metavar="SECONDS",
            help="How long to wait for the bot, 1 to 60; 35 unless given.",
        )  # fmt: skip
        @wraps(function)
        def run(session: Session, name: str, timeout: float, **options: Any) -> None:
            function(session, name, timeout, **options)

        made = click.command(word, context_settings=context_settings)(session_command(run))
        COMMANDS.append(made)
        return made

    return make


@bot_command("start")
@click.option("--script", metavar="FILE", help="A script; the imported strategy unless given.")
@click.option("--conf", metavar="FILE", help="The script's configuration.")
@click.option("--log-level", metavar="LEVEL", help="Of the strategy, such as DEBUG.")
@click.option("--quickstart", is_flag=True, help="As Hummingbot has it.")
@_NO_WAIT
def start(
    session: Session, name: str, timeout: float, *, script: str | None, conf: str | None, log_level: str | None,
    quickstart: bool, no_wait: bool,
) -> None:  # fmt: skip
    """Let a bot start its strategy."""
    given = {"script": script, "conf": conf, "log_level": log_level}
    data: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    data |= {"is_quickstart": quickstart, "async_backend": no_wait}
    command_bot(session, name, "start", data, timeout=timeout, lines=reply_lines.plain)


@bot_command("stop")
@click.option("--skip-order-cancellation", is_flag=True, help="Leave its orders open; implies --no-wait.")
@_NO_WAIT
def stop(session: Session, name: str, timeout: float, *, skip_order_cancellation: bool, no_wait: bool) -> None:
    """Let a bot stop its strategy."""
    data = {
        "skip_order_cancellation": skip_order_cancellation,
        "async_backend": no_wait or skip_order_cancellation,  # a stock bot that waits cancels them all the same
    }
    command_bot(session, name, "stop", data, timeout=timeout, lines=reply_lines.plain)


@bot_command("status")
def status(session: Session, name: str, timeout: float) -> None:
    """Ask a bot how it does."""
    command_bot(session, name, "status", {"async_backend": False}, timeout=timeout, lines=reply_lines.status)


@bot_command("import")
@click.argument("strategy")
def import_strategy(session: Session, name: str, timeout: float, *, strategy: str) -> None:
    """Let a bot import a strategy's configuration."""
    command_bot(session, name, "import", {"strategy": strategy}, timeout=timeout, lines=reply_lines.plain)


@bot_command("config")
@click.argument("changes", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--all", "whole", is_flag=True, help="After a change, show the rest too.")
def config(session: Session, name: str, timeout: float, *, changes: tuple[str, ...], whole: bool) -> None:
    """Show a bot's configuration, or change it; a value is JSON, or text where it is none."""
    params = [list(_pair(change)) for change in changes]
    lines = reply_lines.changed if params and not whole else reply_lines.config
    command_bot(session, name, "config", {"params": params}, timeout=timeout, lines=lines)


@bot_command("history")
@click.option("--days", type=click.FloatRange(0), default=0, help="How many days back; all unless given.")
@click.option("--verbose", is_flag=True, help="As Hummingbot has it.")
@click.option("--precision", type=click.IntRange(0, 38), help="Decimals in texts.")
def history(session: Session, name: str, timeout: float, *, days: float, verbose: bool, precision: int | None) -> None:
    """Show a bot's trades."""
    data = {"days": days, "verbose": verbose, "precision": precision, "async_backend": False}
    command_bot(session, name, "history", data, timeout=timeout, lines=reply_lines.history)


@bot_command("balance")
@click.option("--exchange", metavar="NAME", help="There only.")
@click.option("--asset", metavar="ASSET", help="Of this only.")
def balance(session: Session, name: str, timeout: float, *, exchange: str | None, asset: str | None) -> None:
    """Show what a bot with the plugin holds."""
    data = {key: value for key, value in (("exchange", exchange), ("asset", asset)) if value is not None}
    command_bot(session, name, "balance", data, timeout=timeout, lines=reply_lines.balance)


@bot_command("balance-limit", context_settings=_NUMBERS)
@click.argument("exchange")
@click.argument("asset")
@click.argument("amount")
def balance_limit(session: Session, name: str, timeout: float, *, exchange: str, asset: str, amount: str) -> None:
    """Limit how much of an asset a bot may use at an exchange; a negative amount takes the limit away."""
    data = {"exchange": exchange, "asset": asset, "amount": _number(amount)}
    command_bot(session, name, "balance-limit", data, timeout=timeout, lines=reply_lines.plain)


@bot_command("balance-paper", context_settings=_NUMBERS)
@click.argument("asset")
@click.argument("amount")
def balance_paper(session: Session, name: str, timeout: float, *, asset: str, amount: str) -> None:
    """Set how much of an asset a bot's paper account holds."""
    data = {"asset": asset, "amount": _number(amount)}
    command_bot(session, name, "balance-paper", data, timeout=timeout, lines=reply_lines.plain)


@bot_command("command")
@click.argument("command")
@click.argument("document", default="{}", metavar="[JSON]")
def command(session: Session, name: str, timeout: float, *, command: str, document: str) -> None:
    """Send a bot one of its own commands, with a JSON object as its data."""
    command_bot(session, name, f"command/{command}", _object(document), timeout=timeout, lines=reply_lines.plain)


def _pair(change: str) -> tuple[str, Any]:
    key, separator, value = change.partition("=")
    if not key or not separator:
        raise click.UsageError(f"{change!r} is no KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _object(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"the data is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise click.UsageError('the data is a JSON object, such as {"to": 0.5}')
    return document


def _number(text: str) -> Any:
    """A JSON number where that says the amount exactly, as stock bots want it, else a string of it."""
    try:
        amount = Decimal(exact_text(Decimal(text)))
        number = int(amount) if amount == amount.to_integral_value() else float(amount)
    except (ArithmeticError, ValueError):
        raise click.UsageError(f"{text!r} is not an amount such as 0.5 or -1") from None
    return number if Decimal(str(number)) == amount else str(amount)

"""The entry point: finds the command, and turns every error into words and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from gateway.cli.failure import Exit, Failure
from gateway.cli.output import print_json, print_lines
from gateway.config.errors import ConfigError
from gateway.errors import Misconfigured

COMMANDS = {
    "init": "gateway.cli.init",
    "run": "gateway.cli.run",
    "health": "gateway.cli.health",
    "check": "gateway.cli.check",
    "try": "gateway.cli.try_",
    "send": "gateway.cli.send",
    "listen": "gateway.cli.listen",
    "signals": "gateway.cli.signals",
    "withdraw": "gateway.cli.withdraw",
    "bots": "gateway.cli.bots",
    "keys": "gateway.cli.keys",
    "clients": "gateway.cli.clients",
    "broker-acl": "gateway.cli.broker_acl",
    "emqx": "gateway.cli.emqx",
    "notify": "gateway.cli.notify",
    "doctor": "gateway.cli.doctor",
    "backup": "gateway.cli.backup",
    "restore": "gateway.cli.restore",
    "schemas": "gateway.cli.schemas",
}


class Commands(click.Group):
    """Imports a command when it is called: most of them need neither the web server nor the broker."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name]).command
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="signal-gateway", prog_name="signal-gateway")
def cli() -> None:
    """The road from a trading signal to the bot that acts on it.

    \b
    Exit codes: 0 done; 1 refused, not found or a check that failed; 2 wrong usage;
    3 the gateway, the broker or the bot does not answer; 4 the configuration is wrong.
    """  # noqa: D301  # \b is click's


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = cli.main(args=given, prog_name="signal-gateway", standalone_mode=False)
    except (click.ClickException, click.Abort, Failure, Misconfigured, OSError) as error:
        sys.exit(_report(error, as_json="--json" in given))
    sys.exit(code if isinstance(code, int) else Exit.OK)


def _report(error: Exception, *, as_json: bool) -> Exit:
    match error:
        case Failure():
            return _say(error.exit_code, str(error), error.facts, as_json=as_json)
        case ConfigError():
            problems = [_problem(problem) for problem in error.problems]
            return _say(Exit.CONFIGURATION, str(error), {"problems": problems}, as_json=as_json)
        case Misconfigured():
            return _say(Exit.CONFIGURATION, str(error), {}, as_json=as_json)
        case click.UsageError():
            usage = error.ctx.get_usage() if error.ctx and not as_json else ""
            message = error.format_message().replace("\n\t", " ")  # click puts each choice on a line of its own
            return _say(Exit.USAGE, "\n".join(filter(None, (usage, message))), {}, as_json=as_json)
        case click.ClickException():
            return _say(Exit.USAGE, error.format_message(), {}, as_json=as_json)
        case OSError():
            place = f"{error.filename}: " if error.filename else ""
            return _say(Exit.CONFIGURATION, f"{place}{error.strerror or error}", {}, as_json=as_json)
    return Exit.INTERRUPTED


def _problem(problem: Any) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in ("place", "key", "problem", "found")}


def _say(code: Exit, message: str, facts: dict[str, Any], *, as_json: bool) -> Exit:
    if as_json:
        print_json({"error": {"code": code.name.lower(), "message": message, **facts}}, to=sys.stderr)
    else:
        print_lines(message.splitlines(), to=sys.stderr)
    return code

"""One command to a bot through the running gateway, and how the process ends for what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gateway.cli.failure import Exit, Failure
from gateway.cli.http import call_api
from gateway.cli.reply_lines import Lines
from gateway.cli.session import Session

_GRACE = 10.0
"""Seconds that the gateway has to answer beyond those in which the bot has to."""


def command_bot(
    session: Session, bot: str, word: str, data: Mapping[str, Any], *, timeout: float, lines: Lines
) -> None:
    """Send a command and print what the bot answers.

    Args:
        session: this run.
        bot: the bot's name.
        word: the command as the API's addresses have it.
        data: its parameters.
        timeout: seconds that the bot has.
        lines: makes the bot's answer legible.

    Raises:
        Failure: it was refused, or not delivered, or nobody knows.
    """
    path = "/".join(quote(step, safe="") for step in ("bots", bot, "commands", *word.split("/")))
    try:
        answer = call_api(
            session.settings(), "POST", f"/{path}", query={"timeout": f"{round(timeout, 3):g}"}, document=data,
            timeout=timeout + _GRACE,
        )  # fmt: skip
    except Failure as failure:
        raise _named(failure, bot=bot, word=word) from None
    session.emit(answer, lines(answer["reply"]))


def _named(failure: Failure, *, bot: str, word: str) -> Failure:
    """The same failure with the bot's name, and *unknown* as an end of its own."""
    if failure.facts.get("sent"):
        words = f"the gateway ended before it answered: {bot} may have run {word}, or not ({failure})"
        return Failure(Exit.UNREACHABLE, words, outcome="unknown")
    match failure.facts.get("status"):
        case 504:
            return Failure(Exit.UNREACHABLE, str(failure), **failure.facts, outcome="unknown")
        case 409:
            return Failure(Exit.REFUSED, f"{bot} refused {word}: {failure}", **failure.facts, outcome="refused")
        case 422:
            faults = failure.facts["problem"].get("errors", [])
            lines = [f"{fault['where']}: {fault['problem']}. {fault.get('cause', '')}".strip() for fault in faults]
            return Failure(Exit.REFUSED, "\n".join(lines) or str(failure), **failure.facts)
    return failure

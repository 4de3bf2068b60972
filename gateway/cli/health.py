"""``health``: whether the gateway on this machine can take signals; for supervisors, which look at the exit code."""

from __future__ import annotations

import click

from gateway.cli.failure import Exit, Failure
from gateway.cli.http import request
from gateway.cli.session import Session, session_command

_TIMEOUT = 3.0


@click.command()
@session_command
def command(session: Session) -> None:
    """Ask the running gateway whether it can take signals: 0 it can, 1 it cannot, 3 it does not answer.

    A broker that is away does not make it unhealthy: signals are kept until it is back.
    """
    answer = request(session.settings().http.private, "GET", "/readyz", headers={}, timeout=_TIMEOUT)
    if not answer.good:
        reason = answer.document.get("reason") or f"the gateway answered {answer.status}"
        raise Failure(Exit.REFUSED, f"no signal can be taken: {reason}", status=answer.status)
    session.emit(answer.document, [f"ready; the broker is {answer.document.get('broker')}"])

"""``notify``: whether those who are to be told of problems can be."""

from __future__ import annotations

from collections.abc import Sequence

import click

from gateway.cli.failure import Exit, Failure
from gateway.cli.session import Session, session_command
from gateway.notify.settings import Target
from gateway.notify.trial import try_out


@click.group()
def command() -> None:
    """Who is told of problems."""


@command.command("test")
@click.option("--target", "number", type=int, metavar="N", help="Only this one, counted from 1.")
@session_command
@click.pass_context
def test_targets(context: click.Context, session: Session, number: int | None) -> None:
    """Send a message to each target and say whether it was accepted; 1 where one was not. No gateway need run."""
    targets = _chosen(session.settings(thorough=True).notify.targets, number)
    answers = list(zip(targets, try_out(targets), strict=True))
    documents = [{"target": target.number, "name": target.name, "problem": problem} for target, problem in answers]
    session.emit(
        {"ok": not any(problem for _, problem in answers), "targets": documents},
        [f"{target.name}: {problem or 'accepted'}" for target, problem in answers],
    )
    if any(problem for _, problem in answers):
        context.exit(Exit.REFUSED)


def _chosen(targets: Sequence[Target], number: int | None) -> Sequence[Target]:
    if not targets:
        problem = "notify.targets is empty, so nobody is told: see docs/notifications.md"
        raise Failure(Exit.REFUSED, problem, code="not_found")
    chosen = [target for target in targets if number in {None, target.number}]
    if not chosen:
        there = "there is only target 1" if len(targets) == 1 else f"there are 1 to {len(targets)}"
        raise Failure(Exit.REFUSED, f"there is no target {number}: {there}", code="not_found")
    return chosen

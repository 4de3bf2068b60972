"""Which role each route of the private listener needs: said here, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.roles import Caller, Role
from gateway.web.problem import Problem

OPEN = frozenset({"livez", "readyz", "metrics", "contracts"})
"""What answers without a key."""

ROLES: Mapping[str, Role] = {
    "status": Role.VIEWER,
    "signals": Role.VIEWER,
    "signal": Role.VIEWER,
    "refusals": Role.VIEWER,
    "bots": Role.VIEWER,
    "bot": Role.VIEWER,
    "logs": Role.VIEWER,
    "withdraw": Role.OPERATOR,
    "command": Role.OPERATOR,
    "forget": Role.ADMIN,
    "contract": Role.VIEWER,
    "tokens": Role.ADMIN,
    "-": Role.VIEWER,
}
"""By the route's name, the role that may use it; ``-`` is where nothing is."""


def require(caller: Caller, route: str) -> None:
    """Let a caller use a route; one that the table does not have is for administrators.

    Raises:
        Problem: its role may not.
    """
    needed = ROLES.get(route, Role.ADMIN)
    if not caller.role.includes(needed):
        raise forbidden(f"It needs the role {needed.value}; {caller.name} is {caller.role.value}.")


def forbidden(detail: str) -> Problem:
    """A key that is valid, and may not do this."""
    return Problem(403, "forbidden", "This key may not do that", detail=detail)

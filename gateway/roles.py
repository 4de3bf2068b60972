"""Roles: what somebody may do who shows a key of the private API, or a client's login at the broker."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Role(Enum):
    """Each may do what those before it may."""

    VIEWER = "viewer"
    """Reads."""
    OPERATOR = "operator"
    """Commands bots, and withdraws signals."""
    ADMIN = "admin"
    """Everything."""

    def includes(self, other: Role) -> bool:
        """Whether it may do all that the other may."""
        return _ORDER.index(self) >= _ORDER.index(other)


_ORDER = tuple(Role)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose key was shown.

    Args:
        name: as the audit log has it.
        bots: the bots that it may command, if its role may command any; empty for all.
    """

    name: str
    role: Role
    bots: tuple[str, ...] = ()

    def may_command(self, bot: str) -> bool:
        """Whether it may send commands to a bot."""
        return self.role.includes(Role.OPERATOR) and (not self.bots or bot in self.bots)

"""Who may log in at the embedded broker, and what they may do there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.mqtt.filters import covers, matches


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """The topic filters that a client may use; what is not in them is denied."""

    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()

    def may_publish(self, topic: str) -> bool:
        """Whether a message may be put on the topic."""
        return any(matches(allowed, topic) for allowed in self.publish)

    def may_receive(self, topic: str) -> bool:
        """Whether a message of the topic may be handed over."""
        return any(matches(allowed, topic) for allowed in self.subscribe)

    def may_subscribe(self, topic_filter: str) -> bool:
        """Whether every topic that the filter matches lies within one allowed filter."""
        return any(covers(allowed, topic_filter) for allowed in self.subscribe)


class Logins(Protocol):
    """The credentials, asked at every connect: who is removed or rotated is refused from then on."""

    def login(self, username: str, password: str) -> Permissions | None:
        """What the user may do; None where the password is wrong or the user unknown. Microseconds, no I/O."""
        ...

"""What a strategy asked to be told: a handler with its filters."""

from __future__ import annotations

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

from schemas.fields import is_name
from schemas.instrument import Kind
from schemas.receipt import Stage
from schemas.topics import Mode

if TYPE_CHECKING:  # a job has a registration
    from bot_plugin.job import Job

ANY = "*"
TRADE, ALERT = "trade", "alert"

_PAIR = re.compile(r"[^\s/-]+-[^\s/-]+")


class Desk(Protocol):
    """What a mailbox asks of the running listener, from any thread."""

    def take(self, job: Job) -> bool:
        """Mark a job as started; False where it ended or is too late, or the listener stopped."""
        ...

    def settle(self, job: Job, stage: Stage, reason: str | None) -> Awaitable[None]:
        """End a job; it happens at once also where nobody awaits it."""
        ...


class Mailbox(ABC):
    """A handler that is no function but a place where a strategy looks."""

    @abstractmethod
    def open(self, desk: Desk) -> None:
        """A run begins: its jobs are settled at this desk."""

    @abstractmethod
    def offer(self, job: Job) -> None:
        """Take a job, now, and see to its end."""

    @abstractmethod
    def close(self, cause: BaseException | None) -> None:
        """The run ended, and its jobs with it: hold none of them, and tell whoever looks; None where it was stopped."""


def nobody(_: object) -> None:
    """Stands for a handler that is not here: it is never called."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Registration:
    """A handler and what it wants.

    Args:
        name: by which receipts name it; unique within the bot.
        body: ``trade`` or ``alert``.
        source: a source's name, or ``*``.
        target: a coroutine function, a plain function, or a Mailbox.
        pair: as Hummingbot spells it; without ``kind`` it never selects a derivative.
        venue: in any case.
        instrument: its name in topics, ``BTC-USDT-PERP``, or ``-`` for an alert that names none; None for every one.
        test: whether the signals of the test tree are wanted, or the others; None for both.
        timeout: seconds that a call may take; None for no limit.
        rerun: whether a run that a crash cut short may be repeated.
    """

    name: str
    body: str
    source: str
    target: Callable[..., Any] | Mailbox
    pair: str | None = None
    kind: Kind | None = None
    venue: str | None = None
    mode: Mode | None = None
    instrument: str | None = None
    test: bool | None = None
    timeout: float | None = None
    rerun: bool = False

    def __post_init__(self) -> None:
        """Refuse what could never match.

        Raises:
            ValueError: saying which argument, and how it is spelled.
        """
        if self.source != ANY and not is_name(self.source):
            raise ValueError(f"handler {self.name!r}: {self.source!r} is not the name of a source, nor '*'")
        if self.pair is not None and not _PAIR.fullmatch(self.pair):
            raise ValueError(f"handler {self.name!r}: a pair is spelled BTC-USDT, not {self.pair!r}")
        if self.timeout is not None and self.timeout <= 0:
            raise ValueError(f"handler {self.name!r}: timeout is in seconds and more than 0, not {self.timeout!r}")
        if not 0 < len(self.name) <= 256:  # noqa: PLR2004
            raise ValueError("a handler's name has 1 to 256 characters")

    @property
    def is_async(self) -> bool:
        """Whether the target is to be awaited; other functions run in a thread."""
        return is_async(self.target)

    @property
    def is_here(self) -> bool:
        """Whether there is a handler to be called; else what it wants waits until there is."""
        return self.target is not nobody

    def without_handler(self) -> Self:
        """What it wants, while its handler is not here."""
        return replace(self, target=nobody)

    def describe(self) -> str:
        """Say in one line what it wants."""
        filters = {"pair": self.pair, "kind": self.kind, "venue": self.venue, "mode": self.mode}
        filters |= {"instrument": self.instrument}
        given = "".join(f" {name}={value}" for name, value in filters.items() if value is not None)
        return f"{self.name} ({self.body} of {self.source}{given})"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TopicRegistration:
    """A handler of raw messages: any topic, any bytes, no receipt. A TopicQueue is called too."""

    name: str
    topic_filter: str
    target: Callable[[str, bytes], Any]
    timeout: float | None = None


def is_async(target: Any) -> bool:
    """Whether calling the target gives a coroutine: a function, a method, a partial of one, or an object like one."""
    while hasattr(target, "func"):
        target = target.func
    call = getattr(target, "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(call)

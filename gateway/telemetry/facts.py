"""The facts that the gateway's parts report, as verbs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from typing import Protocol

from schemas.errors import Fault
from schemas.receipt import Receipt


class Draft(Protocol):
    """What telemetry reads of a signal."""

    @property
    def id(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def body(self) -> str: ...
    @property
    def mode(self) -> str: ...
    @property
    def instrument(self) -> str: ...
    @property
    def effect(self) -> str: ...
    @property
    def accepted_at(self) -> int: ...


class Accepted(Protocol):
    """What telemetry reads of a signal that is on disk."""

    @property
    def draft(self) -> Draft: ...
    @property
    def sequence(self) -> int: ...
    @property
    def possible_duplicate_of(self) -> str | None: ...


class Refusal(Protocol):
    """What telemetry reads of a refusal."""

    @property
    def id(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def faults(self) -> Sequence[Fault]: ...
    @property
    def size(self) -> int: ...


class Signal(Protocol):
    """What telemetry reads of a signal that did not go well."""

    @property
    def id(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def instrument(self) -> str: ...
    @property
    def effect(self) -> str: ...


class Unanswered(Signal, Protocol):
    """A signal that expired, the bots that have not receipted it, and whether another one handled it."""

    @property
    def bots(self) -> Sequence[str]: ...
    @property
    def handled(self) -> bool: ...


class Unhandled(Signal, Protocol):
    """A signal, and a receipt for it that is new and says that its bot left it undone."""

    @property
    def receipt(self) -> Receipt: ...


class Life(Protocol):
    """How a bot is, and when it gave its last sign of life: microseconds since the epoch."""

    @property
    def state(self) -> str: ...
    @property
    def seen_at(self) -> int | None: ...


class Backlog(Protocol):
    """How much is in the outbox: rows that wait for the broker, when the oldest was accepted, and for receipts."""

    @property
    def waiting(self) -> int: ...
    @property
    def oldest(self) -> int | None: ...
    @property
    def awaiting(self) -> int: ...


class Room(Protocol):
    """How full the journal and its disk are, in bytes: what its files take and may hold, what is free of how much."""

    @property
    def used(self) -> int: ...
    @property
    def limit(self) -> int: ...
    @property
    def free(self) -> int: ...
    @property
    def size(self) -> int: ...


class Telemetry(Protocol):
    """Whoever wants to know what happens. No verb raises, and none waits."""

    def received(self, *, source: str) -> None:
        """An authenticated request came in."""

    def unauthorised(self, *, cause: str, source: str = "") -> None:
        """A caller showed no valid secret, for this source as it says."""

    def turned_away(self, *, code: str, problem: str) -> None:
        """A request was refused before anybody knew whose it is."""

    def refused(self, refusal: Refusal) -> None:
        """An authenticated request was refused."""

    def not_stored(self, *, cause: str) -> None:
        """Something could not be stored, and its sender was told to send it again."""

    def accepted(self, accepted: Accepted) -> None:
        """A signal is on disk."""

    def duplicate(self, *, source: str, id_: str) -> None:
        """A signal was there already, with this id."""

    def published(self, *, source: str, body: str, seconds: float) -> None:
        """The broker acknowledged a signal, this long after its acceptance."""

    def outcome(self, *, station: str, source: str) -> None:
        """A signal reached a station on one of its destinations."""

    def undelivered(self, signal: Signal, *, station: str, reason: str) -> None:
        """A signal reached a station on one of its destinations, and ended there without a bot that has it for sure."""

    def redelivered(self, *, source: str) -> None:
        """A signal was published again, as a bot has not receipted it."""

    def unanswered(self, signal: Unanswered) -> None:
        """A signal expired, and some bot has not receipted it."""

    def receipt(self, receipt: Receipt) -> None:
        """A bot's receipt is on disk; a repeated one is reported again."""

    def unhandled(self, signal: Unhandled) -> None:
        """A bot did not do what a signal asks: it failed, was interrupted, refused, or had it too late."""

    def receipts_left_out(self, *, unknown: int, surplus: int) -> None:
        """Receipts were not stored: of signals that nobody knows, and beyond what is kept of a bot for a signal."""

    def unreadable_receipt(self, *, topic: str, problem: str) -> None:
        """A message on a receipt topic was no receipt."""

    def unreadable_card(self, *, topic: str, problem: str) -> None:
        """A message on a card topic was no card."""

    def unreadable_telemetry(self, *, topic: str, problem: str) -> None:
        """A message on a topic where a bot tells of itself cannot be read."""

    def bot_message(self, *, channel: str) -> None:
        """A bot told something of itself."""

    def bot_clock(self, *, bot: str, problem: str | None) -> None:
        """A bot's clock is proven to be off, as the problem says; None where it is right again."""

    def commanded(self, *, bot: str, command: str, who: str, id_: str, outcome: str, seconds: float) -> None:
        """Somebody's command to a bot came to this end."""

    def stray_reply(self, *, topic: str) -> None:
        """A reply came that no call waits for: late, a second one, or nobody's."""

    def bot_dead(self, *, bot: str, last_seen: int) -> None:
        """A bot has given no sign of life for too long, the last one at ``last_seen``: microseconds since the epoch."""

    def bot_left(self, *, bot: str) -> None:
        """A bot that was reported dead said goodbye: it is to be gone."""

    def bot_back(self, *, bot: str) -> None:
        """A bot that was dead gave a sign of life."""

    def bot_forgotten(self, *, bot: str) -> None:
        """A bot is expected no more; whether it is dead is of no interest now."""

    def bot_notified(self, *, bot: str, text: str) -> None:
        """A bot has something to say to its operator, in words of its own."""

    def source_silent(self, *, source: str, seconds: float) -> None:
        """No signal of a source was accepted for longer than it should take; for so long by now."""

    def source_heard(self, *, source: str, seconds: float) -> None:
        """A signal of a source that was silent was accepted, after so long."""

    def ml_signal(self, *, outcome: str) -> None:
        """The broker answered to what was said to ``ai_livestream``: ``prediction``, ``neutral``, or ``denied``."""

    def ml_signal_changed(self, *, pair: str, id_: str, neutral_as: str) -> None:
        """Something else is said of a pair to ``ai_livestream`` from now on: a prediction, or why it is neutral."""

    def retained_found(self, *, topic: str, problem: str) -> None:
        """Somebody had the broker keep a message for ``ai_livestream``; it was cleared, or why not."""

    def broker_connected(self, *, connected: bool) -> None:
        """The connection to the broker began or ended."""

    def http_request(self, *, listener: str, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered."""

    def unexpected(self, *, where: str, error: BaseException) -> None:
        """An error came that nobody foresaw; it is logged with its traceback."""

    def audited(self, *, who: str, what: str, target: str, outcome: str) -> None:
        """Somebody changed something, or tried to, through the private API."""

    def problem(self, *, kind: str) -> None:
        """Something is wrong, or over, that somebody may want to be told."""

    def notified(self, *, target: str, outcome: str, problem: str) -> None:
        """A notification was sent to a target; or retried, failed or dropped, for a problem."""

    def watch_outbox(self, depth: Callable[[], Backlog], *, now: Callable[[], int]) -> None:
        """Ask for the outbox's depth whenever the metrics are read; ``now`` is microseconds since the epoch."""

    def watch_journal(self, trouble: Callable[[], str | None]) -> None:
        """Ask why the journal cannot store, None while it can, whenever the metrics are read."""

    def watch_room(self, room: Callable[[], Room]) -> None:
        """Ask how full the journal and its disk are whenever the metrics are read; it may raise OSError."""

    def watch_certificate(self, end: Callable[[], float | None]) -> None:
        """Ask when the broker's certificate ends, in seconds since the epoch, whenever the metrics are read."""

    def watch_clocks(self, offsets: Callable[[], Mapping[str, float]], *, named: Callable[[], Container[str]]) -> None:
        """Ask for the bots' clock offsets in seconds, and which bots have a login, whenever the metrics are read."""

    def watch_bots(self, lives: Callable[[], Mapping[str, Life]], *, named: Callable[[], Collection[str]]) -> None:
        """Ask how the bots are, and which are known by name, whenever the metrics are read."""

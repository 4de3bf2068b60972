"""One process per bot name: the lock in the state folder, the question to the broker, and the answer to others.

A starting process publishes a *claim* on its own card's topic, from a client id of its own, and listens there. Brokers
put the claims of two processes in one order, so that the earlier one wins; a process that lives answers a claim with
its card; a card that is only retained and that nobody stands up for is left from a crash. A process that holds the lock
after the card's own one knows that at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path
from typing import Any

from bot_plugin.errors import LinkRefused, NameTaken, SettingsError
from bot_plugin.transport import REFUSED, Link, Message
from schemas import envelope as envelopes
from schemas.card import BotCard, BotCardSchema, Presence
from schemas.envelope import Envelope
from schemas.errors import ContractError
from schemas.fields import from_micros
from schemas.record import load

log = logging.getLogger("bot_plugin.presence")

ECHO_TIME = 5.0
"""Seconds that the broker has to send the claim back; it says nothing where it denies it and speaks MQTT 3.1.1."""

ANSWER_TIME = 3.0
"""Seconds that another process has to stand up for its retained card."""

_MOST_LEFT = 100
"""Topic filters of another card that are looked at."""

_HOLDER = re.compile(r"(?P<instance>[0-9a-zA-Z-]{1,64}) (?P<place>[0-9a-f:-]{0,128})\n")
_LONGEST = 256
"""What the lock's file holds, and bytes of it that are read."""

SETTLE_TIME = 0.25
"""Seconds that every starting process waits for an objection; more than a round trip to the broker."""


def encode_card(card: BotCard, *, now: int) -> bytes:
    """A card in its envelope, with the bot's clock in it."""
    at = from_micros(now)
    return envelopes.encode(
        Envelope(
            id=f"{card.instance}-{card.presence}",
            source=f"/bots/{card.bot}",
            type=envelopes.BOT_CARD,
            subject=card.bot,
            time=at,
            dataschema=envelopes.schema_urn(envelopes.BOT_CARD),
            data=envelopes.body(BotCardSchema, replace(card, clock=at)),
        )
    )


def decode_card(payload: bytes) -> BotCard | None:
    """Read a card; None for what is none."""
    try:
        envelope = envelopes.decode(payload)
        card: BotCard = load(BotCardSchema, envelope.data)
    except ContractError:
        return None
    return card if envelope.type == envelopes.BOT_CARD else None


@dataclass(slots=True)
class Claim:
    """What a starting process has seen on its card's topic.

    Args:
        instance: this process.
        earlier: the process that held the state folder's lock before, and so is dead; empty where none is known.
        echoed: whether the own claim came back, so that all that was retained was seen.
        suspect: whether a retained card says that another process is online.
        taken: why the name is not free, once that is known.
        challenged: whether somebody who came later claims the name: to be answered with the card.
        left: what the process before this one listened to, by its card: its session may listen to that still.
    """

    instance: str
    earlier: str = ""
    echoed: bool = False
    suspect: bool = False
    taken: str | None = None
    challenged: bool = False
    left: tuple[str, ...] = ()

    def see(self, card: BotCard, *, retained: bool) -> None:
        """Take notice of a card."""
        if retained and not self.echoed:
            self.left = card.subscriptions[:_MOST_LEFT]
        if card.instance == self.instance:
            self.echoed = self.echoed or card.presence is Presence.CLAIM
        elif card.presence is Presence.CLAIM:
            if self.echoed:
                self.challenged = True
            else:
                self.taken = f"instance {card.instance} is just starting"
        elif card.presence is Presence.ONLINE:
            if retained and not self.echoed:
                self.suspect = card.instance != self.earlier
            else:
                self.taken = f"instance {card.instance} answered"
        else:
            self.suspect = False


class Claimant:
    """Asks the broker whether the name is free, and holds the claim until the card is published.

    Args:
        link: a connection of its own, that listens to the card's topic.
        topic: the card's topic.
        card: the card to answer later claims with.
        earlier: the process that held the state folder's lock before this one.
    """

    def __init__(self, link: Link, *, topic: str, card: BotCard, earlier: str, now: Callable[[], int]) -> None:
        self._link, self._topic, self._card, self._now = link, topic, card, now
        self._claim = Claim(card.instance, earlier)
        self._changed = asyncio.Event()
        self._asked = False
        self._refused: LinkRefused | None = None

    @property
    def left(self) -> tuple[str, ...]:
        """What the process before this one listened to, once the name is won."""
        return self._claim.left

    async def run(self) -> None:
        """Keep the connection, and publish the claim on it, until cancelled or refused: ``won`` tells that."""
        try:
            await self._link.run(self._receive, self._ask)
        except LinkRefused as refused:
            self._refused = refused
            self._changed.set()

    async def won(self) -> None:
        """Return when the name is this process's, as far as the broker lets it ask.

        Raises:
            NameTaken: it is another's.
            LinkRefused: the broker does not let this bot ask.
        """
        await self._until(lambda: self._asked, timeout=None)
        if await self._until(lambda: self._claim.echoed, timeout=ECHO_TIME):
            await self._until(lambda: False, timeout=ANSWER_TIME if self._claim.suspect else SETTLE_TIME)
        else:
            log.warning(
                "the broker does not send back what bot %r publishes on %s: its login needs the permission to write "
                "there; going on without knowing if another process has the name",
                self._card.bot,
                self._topic,
            )

    async def _until(self, condition: Callable[[], bool], *, timeout: float | None) -> bool:  # noqa: ASYNC109
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not self._holds(condition):
                    self._changed.clear()
                    await self._changed.wait()
        return self._holds(condition)

    def _holds(self, condition: Callable[[], bool]) -> bool:
        if self._refused is not None:
            raise self._refused
        if self._claim.taken is not None:
            raise NameTaken(self._card.bot, self._claim.taken)
        return condition()

    def _ask(self) -> None:
        self._publish(replace(self._card, presence=Presence.CLAIM), retain=False)
        self._asked = True
        self._changed.set()

    async def _receive(self, message: Message) -> None:
        card = decode_card(message.payload)
        if card is None:
            return
        self._claim.see(card, retained=message.retained)
        if self._claim.challenged and self._claim.taken is None:
            self._claim.challenged = False
            self._publish(self._card, retain=True)
        self._changed.set()

    def _publish(self, card: BotCard, *, retain: bool) -> None:
        with contextlib.suppress(ConnectionError):
            published = self._link.publish(self._topic, encode_card(card, now=self._now()), retain=retain)
            published.add_done_callback(self._answered)

    def _answered(self, published: asyncio.Future[int]) -> None:
        if published.cancelled() or published.exception() is not None or published.result() < REFUSED:
            return
        self._refused = LinkRefused(
            f"the broker does not let bot {self._card.bot!r} publish its card on {self._topic} (reason "
            f"{published.result():#x}): give its login the permission to write there"
        )
        self._changed.set()


@contextlib.contextmanager
def lock(folder: Path | None, bot: str, *, instance: str) -> Iterator[str]:
    """Hold the lock of the state folder; none without a folder, or where the system has no such locks.

    Gives the instance that held it before, which is dead; empty where none is known.

    Raises:
        NameTaken: another process on this machine holds it.
        SettingsError: the folder cannot be written.
    """
    fcntl = _fcntl()
    if folder is None or fcntl is None:
        yield ""
        return
    path = folder / f"{bot}.lock"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b", buffering=0)
    except OSError as error:
        cure = "make it writable for this user, or name another one as state_dir"
        raise SettingsError([f"the bot's folder {folder} cannot be written: {error.strerror}; {cure}"]) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise NameTaken(bot, f"it holds {path}") from None
        yield _succeed(file, instance)


def _succeed(file: FileIO, instance: str) -> str:
    """Leave this instance's name in the lock's file, and say whose was in it; nobody's where the file was copied."""
    place = _place(file)
    held = _HOLDER.fullmatch((file.read(_LONGEST) or b"").decode(errors="replace"))
    if held is None and os.fstat(file.fileno()).st_size:
        return ""  # a file of somebody else's: it serves as a lock, and stays as it is
    file.seek(0)
    with contextlib.suppress(OSError):  # a full disk is the inbox's matter
        file.write(f"{instance} {place}\n".encode())
        file.truncate()
    return held["instance"] if held is not None and place and held["place"] == place else ""


def _place(file: FileIO) -> str:
    """This file on this machine since it was started: a copy has another place. Empty where it is not known."""
    found = os.fstat(file.fileno())
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
    return f"{boot}:{found.st_dev}:{found.st_ino}"


def _fcntl() -> Any:
    try:
        return importlib.import_module("fcntl")
    except ImportError:  # Windows
        return None

"""The commands of one run, on the second connection: each message is checked, run once, and answered."""

from __future__ import annotations

import asyncio
import logging
from asyncio import Queue, TaskGroup
from collections.abc import Callable
from dataclasses import replace

from bot_plugin.commands.answer import refusal
from bot_plugin.commands.ledger import Entry, Ledger
from bot_plugin.commands.offers import OWN, Offers
from bot_plugin.commands.outcome import Audit, Outcome
from bot_plugin.commands.reading import Call, Refusal, Rules, read, refuse
from bot_plugin.commands.replies import Replies
from bot_plugin.commands.secrecy import without_secrets
from bot_plugin.commands.turns import Arrival, Job, Settled, Turns
from bot_plugin.transport import Link, Message
from schemas.command import Command
from schemas.rpc import write_reply

log = logging.getLogger("bot_plugin.commands")

UNREAD = 1_000
"""Messages that wait to be read; further ones are dropped."""

UNREAD_BYTES = 4_194_304
"""What they may have together."""

REPEATS = 16
"""Reply topics that one call may have, each given by a repeat that came before it ended."""


class CommandService:
    """The remote commands of one run; see RemotePart.

    Args:
        offers: what may be run.
        rules: what every message is held to.
        ledger: the memory of what was run.
        audit: is told of every command.
        now: the bot's clock, microseconds since the epoch.
        monotonic: a clock that nobody sets, microseconds.
        grace: seconds that running commands get when the bot stops.
        max_reply: bytes of a reply.
    """

    def __init__(
        self,
        offers: Offers,
        rules: Rules,
        *,
        ledger: Ledger,
        audit: Audit,
        now: Callable[[], int],
        monotonic: Callable[[], int],
        grace: float,
        max_reply: int,
    ) -> None:
        self._offers, self._rules, self._ledger, self._audit = offers, rules, ledger, audit
        self._now, self._monotonic, self._grace = now, monotonic, grace
        self._unread: Queue[tuple[Message, Arrival]] = Queue(UNREAD)
        self._unread_bytes = 0
        self._replies = Replies(monotonic=monotonic)
        self._turns = Turns(ledger, now=now, monotonic=monotonic, max_reply=max_reply, settle=self._settle)

    @property
    def filters(self) -> tuple[str, ...]:
        """Every command's topic, so that what the bot lacks is answered too."""
        topics, bot = self._rules.topics, self._rules.bot
        return (*(topics.command(bot, command) for command in Command), f"{topics.namespace}/{bot}/{OWN}+")

    def connected(self, link: Link) -> None:
        """Send the replies that wait."""
        self._replies.connected(link)

    async def receive(self, message: Message) -> None:
        """Take a message; what comes too fast is dropped, and counted."""
        arrival = Arrival(at=self._now(), monotonic=self._monotonic())
        if self._unread.full() or self._unread_bytes + len(message.payload) > UNREAD_BYTES:
            reason = (
                f"dropped: it has {len(message.payload)} bytes, and {self._unread.qsize()} messages wait to be read"
            )
            self._audit.tell(Outcome.FULL, command=message.topic, at=arrival.at, reason=reason)
            return
        self._unread_bytes += len(message.payload)
        self._unread.put_nowait((message, arrival))

    async def run(self) -> None:
        """Open the memory, then read messages and run commands until cancelled."""
        await self._ledger.open()
        try:
            async with TaskGroup() as group:
                group.create_task(self._turns.work(), name="bot_plugin.commands.in_order")
                group.create_task(self._replies.run(), name="bot_plugin.commands.replies")
                while True:
                    message, arrival = await self._unread.get()
                    self._unread_bytes -= len(message.payload)
                    await self._take_up(message, arrival, group)
                    await asyncio.sleep(0)  # signals are read in this loop too, however many commands wait
        finally:
            await self._ledger.close()

    async def farewell(self, link: Link) -> None:
        """Begin nothing more, give up what does not end in time, and send the replies."""
        await self._turns.stop(grace=self._grace)
        await self._replies.drained(timeout=1 if link.connected else 0)

    async def _take_up(self, message: Message, arrival: Arrival, group: TaskGroup) -> None:
        try:
            await self._take(message, arrival, group)
        except Exception:
            log.exception("a command on %s was not taken", message.topic)

    async def _take(self, message: Message, arrival: Arrival, group: TaskGroup) -> None:
        call = read(message, self._rules, now=arrival.at)
        refused = call if isinstance(call, Refusal) else await self._taken(call, message, arrival, group)
        if refused is not None and message.retained:
            refused = replace(refused, outcome=Outcome.RETAINED)
        if refused is not None:
            self._refuse(refused, arrival)

    async def _taken(self, call: Call, message: Message, arrival: Arrival, group: TaskGroup) -> Refusal | None:
        job = self._turns.get(call.key)
        try:
            known = await self._ledger.find(call.key) if job is None else Entry(fingerprint=job.call.fingerprint)
        except OSError as error:
            return refuse(call, Outcome.NOT_STORED, f"not run: {error}")
        if message.retained:
            told = replace(call, reply_to="") if known is not None else call  # it has its reply, of when it was run
            return refuse(told, Outcome.RETAINED, "a retained command is not run: publish it without the retain flag")
        if known is None:
            return self._admitted(call, arrival, group)
        if known.fingerprint != call.fingerprint:
            reason = "not run: its msg_id was used for other parameters; each call needs one of its own"
            return refuse(call, Outcome.REUSED, reason)
        return self._joined(call, job, arrival) if job is not None else self._repeated(call, known, arrival)

    def _admitted(self, call: Call, arrival: Arrival, group: TaskGroup) -> Refusal | None:
        """Let a new call wait for its turn, or say why it may not."""
        if late := self._turns.late(call, arrival):
            return refuse(call, Outcome.LATE, f"{late}, when it arrived")
        chosen = self._offers.choose(call)
        if isinstance(chosen, Refusal):
            return chosen
        offer, argument = chosen
        job = Job(call=call, offer=offer, argument=argument, arrival=arrival, reply_to=[call.reply_to])
        if not self._turns.put(job, group):
            return refuse(call, Outcome.FULL, "not run: too many commands wait already")
        return None

    def _joined(self, call: Call, job: Job, arrival: Arrival) -> Refusal | None:
        """Let a repeat wait for the reply of the first, which waits or runs."""
        if call.reply_to not in job.reply_to:
            if len(job.reply_to) >= REPEATS:
                return refuse(call, Outcome.FULL, f"{REPEATS} repeats of it wait for its reply already")
            job.reply_to.append(call.reply_to)
        self._tell(Outcome.REPEATED, call, arrival, "it gets the reply of the first")
        return None

    def _repeated(self, call: Call, known: Entry, arrival: Arrival) -> Refusal | None:
        """Give a repeat the reply of the first."""
        if known.reply is None:
            reason = f"interrupted: {call.name} was begun, and the bot ended; what it had done by then is not known"
            return refuse(call, Outcome.INTERRUPTED, reason)
        if not known.reply:
            return refuse(call, Outcome.REPEATED, f"{call.name} was run, once; its reply is not kept any more")
        self._replies.put(call.reply_to, known.reply)
        self._tell(Outcome.REPEATED, call, arrival, "it got the reply of the first")
        return None

    def _settle(self, job: Job, settled: Settled) -> None:
        for reply_to in job.reply_to:
            self._replies.put(reply_to, settled.payload)
        reason = without_secrets(settled.reason, job.call.data)
        self._tell(settled.outcome, job.call, job.arrival, reason, seconds=settled.seconds)

    def _refuse(self, refused: Refusal, arrival: Arrival) -> None:
        if refused.reply_to:
            reply = replace(refusal(refused.reason), timestamp=self._now())
            self._replies.put(refused.reply_to, write_reply(reply))
        self._tell(refused.outcome, refused, arrival, refused.reason)

    def _tell(
        self, outcome: Outcome, call: Call | Refusal, arrival: Arrival, reason: str, *, seconds: float | None = None
    ) -> None:
        self._audit.tell(
            outcome,
            command=call.name,
            sender=call.sender,
            msg_id=call.msg_id,
            at=arrival.at,
            reason=reason,
            seconds=seconds,
        )

"""The listener: a strategy registers what it wants, and runs it."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any, Self

from bot_plugin.busy import Busy
from bot_plugin.commands import RemoteCommands
from bot_plugin.errors import SettingsError
from bot_plugin.handlers import Handlers
from bot_plugin.inbox import Inbox, SqliteInbox
from bot_plugin.listening import listen
from bot_plugin.plan import Plan
from bot_plugin.program import MENDABLE
from bot_plugin.reconnecting import MqttBroker
from bot_plugin.remote import RemotePart
from bot_plugin.runner import Connect, Runner
from bot_plugin.settings import PluginSettings
from bot_plugin.telemetry import Telemetry
from bot_plugin.threaded import ThreadedListener


def system_now() -> int:
    """This machine's clock in microseconds since the epoch."""
    return time.time_ns() // 1000


def system_monotonic() -> int:
    """This machine's clock that nobody sets, in microseconds."""
    return time.monotonic_ns() // 1000


class SignalListener(Handlers):
    """Listens to signals for one bot.

    Args:
        settings: how to reach the broker and what may run.
        inbox: the memory of what ran; one in the settings' state folder where None. ``MemoryInbox()`` writes nothing,
            and forgets at the end of the process.
        now: the clock, microseconds since the epoch.
        monotonic: a clock that nobody sets, microseconds. A signal is late when either of them says so.
    """

    def __init__(
        self,
        settings: PluginSettings,
        *,
        inbox: Inbox | None = None,
        now: Callable[[], int] = system_now,
        monotonic: Callable[[], int] = system_monotonic,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.now = now
        self.monotonic = monotonic
        self.inbox = inbox
        self.telemetry = Telemetry(settings, now=now)
        self._commands: RemoteCommands | None = None
        self._attached: list[Handlers] = []
        self._leaving: dict[Handlers, Busy] = {}
        self._running: tuple[AbstractEventLoop, asyncio.Event] | None = None
        self._runner: Runner | None = None
        self._comes_and_goes = self._renewing = False
        self._up = threading.Event()

    @classmethod
    def from_env(cls, *, env_file: str | Path | None = None) -> Self:
        """Read ``SIGNAL_GATEWAY_*`` from the environment, and from a file of ``KEY=VALUE`` lines.

        Raises:
            SettingsError: with every problem.
        """
        return cls(PluginSettings.from_env(env_file=env_file))

    @classmethod
    def from_conf_client(cls, path: str | Path, **more: Any) -> Self:
        """Read Hummingbot's ``conf_client.yml``; ``more`` are PluginSettings that win over it.

        Raises:
            SettingsError: with every problem.
        """
        return cls(PluginSettings.from_conf_client(path, **more))

    @property
    def plan(self) -> Plan:
        """What is registered by now, and what the settings let the bot listen to."""
        own = listen(super().plan, self._provided, self.settings)
        own = replace(own, more_may_come=self._comes_and_goes or not (own.registrations or own.interrupted))
        return reduce(Plan.joined, (handlers.plan for handlers in self._attached), own)

    def attach(self, handlers: Handlers) -> None:
        """Listen for these handlers too, from now on: before it runs, or on its loop's thread while it does.

        What waited for handlers of their names, since they were detached or since an earlier process, runs now where it
        is still true. They are attached once, until they are detached; ``wait_connected`` tells when the broker sends
        what they want.

        Raises:
            ValueError: a handler's name is taken, or they ``provide`` something, which is the listener's own to do.
            SettingsError: they ask for what the settings do not allow.
            RuntimeError: it runs on another loop.
        """
        self._check_thread()
        if handlers in self._attached:
            return
        plan = self.plan
        if taken := sorted(set(plan.handlers) & set(handlers.plan.handlers)):
            raise ValueError(f"there is a handler {taken[0]!r} already: receipts name handlers, so give each its own")
        if handlers.provides:
            raise ValueError("what the configuration feeds is provided to the listener itself: listener.provide(...)")
        if problems := list(handlers.plan.problems(self.settings)):
            raise SettingsError(problems)
        self._attached.append(handlers)
        self._change()

    async def detach(self, handlers: Handlers) -> None:
        """Listen for these handlers no more; return when none of them is called any more.

        None is called from now on. Callbacks that run have ``grace`` seconds to end, and are interrupted then; one that
        asks for this itself is not waited for. What waits for these handlers waits until they are attached again, or
        it expires; while they are away the broker keeps nothing for them, and the gateway does.

        Raises:
            RuntimeError: it runs on another loop.
        """
        self._check_thread()
        if handlers in self._attached:
            self._attached.remove(handlers)
            self._leaving[handlers] = self._change()
        if self._runner is not None and (busy := self._leaving.get(handlers)) is not None:
            await self._runner.released(busy)
        self._leaving.pop(handlers, None)

    def _check_thread(self) -> None:
        if self._running is None:
            return
        here = None
        with suppress(RuntimeError):  # no loop runs here
            here = asyncio.get_running_loop()
        if here is not self._running[0]:
            raise RuntimeError("handlers come and go on the loop on which the listener runs: call this there")

    def _change(self) -> Busy:
        """Call other handlers from now on; subscribe once for all that changes in this turn of the loop."""
        self._comes_and_goes = True
        if self._running is None or self._runner is None:
            return Busy()
        if not self._renewing:
            self._renewing = True
            self._running[0].call_soon(self._renew, self._up.is_set())
            self._up.clear()
        return self._runner.change(self.plan)

    def _renew(self, was_up: bool) -> None:  # noqa: FBT001  # a callback
        self._renewing = False
        if self._runner is not None and not self._runner.renew() and was_up:
            self._up.set()

    def serve(self, commands: RemoteCommands) -> None:
        """Answer remote commands while it runs.

        Raises:
            RuntimeError: it serves others already, or runs.
        """
        if self._commands is not None or self._running is not None:
            raise RuntimeError("a listener serves one RemoteCommands, that it has before it runs")
        self._commands = commands

    def main(self) -> None:
        """Run as a program: until Ctrl-C or SIGTERM. What its user can mend ends it with one line, and exit code 1.

        Raises:
            SystemExit: as said.
        """
        try:
            asyncio.run(self._until_told_to_stop())
        except (*MENDABLE, OSError) as error:
            raise SystemExit(str(error)) from None

    async def _until_told_to_stop(self) -> None:
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):  # Windows
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self.stop)
        await self.run()

    async def run(self, *, connect: Connect | None = None, claim: bool = True) -> None:
        """Listen until cancelled, or until ``stop``; then let running handlers end, send receipts, say goodbye.

        What waits then waits for the next start, or is refused where the inbox is in memory. Afterwards queues and
        ``latest`` raise ListenerEnded, until it runs again.

        Args:
            connect: makes the connections; ``bot_plugin.testing`` has one without a broker.
            claim: whether to ask first if another process has the name.

        Raises:
            NameTaken: another living process has the bot's name.
            LinkRefused: the broker refuses the bot, and never accepted it in this run.
            SettingsError: the handlers ask for what the settings do not allow, or the state folder cannot be used.
            OSError: the state folder's disk failed: nothing that it does not hold was run or acknowledged.
        """
        if self._running is not None:
            raise RuntimeError("this listener runs already")
        stop, parts = asyncio.Event(), self._parts()
        self._running = asyncio.get_running_loop(), stop
        runner = self._runner = Runner(
            settings=self.settings,
            plan=self.plan,
            inbox=self._durable() if self.inbox is None else self.inbox,
            connect=connect or MqttBroker().link,
            now=self.now,
            monotonic=self.monotonic,
            claim=claim,
            on_connect=self._up.set,
            parts=parts,
            commands=() if (served := self._served()) is None else served.names(self.settings),
        )
        cause: BaseException | None = None
        try:
            await runner.run(stop)
        except Exception as error:
            cause = error
            raise
        finally:
            self._running = self._runner = None
            self._up.clear()
            runner.plan.close(cause)

    def _durable(self) -> Inbox:
        path = self.settings.state_folder / f"{self.settings.bot}.inbox.db"
        return SqliteInbox(path, monotonic=self.monotonic)

    def _parts(self) -> tuple[RemotePart, ...]:
        """What lives on the second connection in one run."""
        served = self._served()
        if served is None:
            return (self.telemetry.sender(),)
        durable = self.inbox is None or self.inbox.durable
        service = served.service(self.settings, durable=durable, now=self.now, monotonic=self.monotonic)
        return (self.telemetry.sender(), service)

    def _served(self) -> RemoteCommands | None:
        return self._commands if self.settings.commands else None

    def stop(self) -> None:
        """End ``run``; from any thread."""
        if self._running is not None:
            loop, event = self._running
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(event.set)

    async def wait_connected(self) -> None:
        """Return when this run was connected, with the subscriptions of all that is attached by now."""
        while not self._up.is_set():  # noqa: ASYNC110  # a thread's event: the other loop waits for it too
            await asyncio.sleep(0.01)

    def in_thread(self) -> ThreadedListener:
        """Run beside a strategy with its own loop: ``with listener.in_thread():``, or ``start()`` and ``stop()``."""
        return ThreadedListener(self.run, stop=self.stop, up=self._up)

"""The client for programs without an event loop: the same commands and streams, and each call waits."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from bot_plugin.client.bot import Bot
from bot_plugin.client.client import BotClient
from bot_plugin.client.settings import ClientSettings
from bot_plugin.client.streams import Stream, Told
from bot_plugin.loop_thread import LoopThread

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class SyncStream(Generic[T_co]):
    """A stream: ``with client.logs("bot1") as lines`` and ``for told in lines``; see ``Stream``."""

    def __init__(self, stream: Stream[T_co], thread: LoopThread) -> None:
        self._stream, self._thread = stream, thread

    @property
    def dropped(self) -> int:
        """What was forgotten because the program was slower than the bots."""
        return self._stream.dropped

    def __enter__(self) -> Self:
        self._thread.do(self._stream.__aenter__())
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        self._thread.do(self._stream.close())

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Told[T_co]:
        told = self._thread.do(self._stream.next(within=None))
        if told is None:
            raise StopIteration
        return told

    def next(self, *, within: float | None) -> Told[T_co] | None:
        """As ``Stream.next``."""
        return self._thread.do(self._stream.next(within=within))


def _waits(
    method: Callable[Concatenate[BotClient, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[SyncBotClient, P], T]:
    @wraps(method)
    def call(self: SyncBotClient, /, *arguments: P.args, **options: P.kwargs) -> T:
        return self.thread.do(method(self.client, *arguments, **options))

    return call


def _streams(
    method: Callable[Concatenate[BotClient, P], Stream[T]],
) -> Callable[Concatenate[SyncBotClient, P], SyncStream[T]]:
    async def make(client: BotClient, *arguments: P.args, **options: P.kwargs) -> Stream[T]:
        return method(client, *arguments, **options)

    @wraps(method)
    def stream(self: SyncBotClient, /, *arguments: P.args, **options: P.kwargs) -> SyncStream[T]:
        return SyncStream(self.thread.do(make(self.client, *arguments, **options)), self.thread)

    return stream


class SyncBotClient:
    """``BotClient`` for programs without an event loop: ``with SyncBotClient(settings) as client``.

    Each method is the one of ``BotClient``, and may be called from any thread.

    Args:
        settings: how to reach the broker; what ``ClientSettings.from_env`` reads where None.
        options: what ``BotClient`` takes besides.
    """

    start = _waits(BotClient.start)
    stop = _waits(BotClient.stop)
    import_strategy = _waits(BotClient.import_strategy)
    config = _waits(BotClient.config)
    status = _waits(BotClient.status)
    history = _waits(BotClient.history)
    balance = _waits(BotClient.balance)
    balance_limit = _waits(BotClient.balance_limit)
    balance_paper = _waits(BotClient.balance_paper)
    command = _waits(BotClient.command)
    wait_alive = _waits(BotClient.wait_alive)

    heartbeats = _streams(BotClient.heartbeats)
    statuses = _streams(BotClient.statuses)
    events = _streams(BotClient.events)
    notifications = _streams(BotClient.notifications)
    logs = _streams(BotClient.logs)
    performance = _streams(BotClient.performance)
    receipts = _streams(BotClient.receipts)

    def __init__(self, settings: ClientSettings | None = None, **options: Any) -> None:
        self._settings, self._options = settings or ClientSettings.from_env(), options
        self.thread = LoopThread()
        self._client: BotClient | None = None

    @property
    def client(self) -> BotClient:
        """The client in the thread.

        Raises:
            RuntimeError: it is not open.
        """
        if self._client is None:
            raise RuntimeError("the client is not open: use it as `with SyncBotClient(...) as client`")
        return self._client

    def bots(self) -> tuple[Bot, ...]:
        """As ``BotClient.bots``."""
        return self.thread.do(_bots(self.client))

    def __enter__(self) -> Self:
        self.thread.start()
        try:
            self._client = self.thread.do(_open(self._settings, self._options))
        except BaseException:
            self.thread.stop()
            raise
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        client, self._client = self.client, None
        try:
            self.thread.do(client.__aexit__(None, None, None))
        finally:
            self.thread.stop()


async def _open(settings: ClientSettings, options: dict[str, Any]) -> BotClient:
    return await BotClient(settings, **options).__aenter__()


async def _bots(client: BotClient) -> tuple[Bot, ...]:
    return client.bots()

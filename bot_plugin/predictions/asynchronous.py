"""The client for pipelines with an event loop."""

from __future__ import annotations

import asyncio
import logging
import uuid
from asyncio import Future, Task
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

from bot_plugin.predictions.body import Line, Prediction, line_of
from bot_plugin.predictions.queue import Queue
from bot_plugin.predictions.results import Outcome, Result
from bot_plugin.predictions.sender import Sender
from bot_plugin.predictions.settings import PredictionSettings

log = logging.getLogger("bot_plugin.predictions")


def utc_now() -> datetime:
    """This machine's clock."""
    return datetime.now(UTC)


def random_key() -> str:
    """A key that nobody else has."""
    return uuid.uuid4().hex


class AsyncPredictionClient:
    """Sends predictions to the gateway: ``async with AsyncPredictionClient(settings) as client``.

    Predictions go out in the order in which they were handed in; those that wait together go in one request.

    Args:
        settings: to whom, and by whom; what ``PredictionSettings.from_env`` reads where None.
        now: the clock.
        new_key: makes the idempotency key of a prediction that has none.
    """

    def __init__(
        self,
        settings: PredictionSettings | None = None,
        *,
        now: Callable[[], datetime] = utc_now,
        new_key: Callable[[], str] = random_key,
    ) -> None:
        self.settings = settings or PredictionSettings.from_env()
        self._now, self._new_key = now, new_key
        self._queue: Queue | None = None
        self._sending: Task[None] | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, *, env_file: str | Path | None = None) -> Self:
        """Read ``SIGNAL_GATEWAY_*`` from the environment, and from a file of ``KEY=VALUE`` lines.

        Raises:
            SettingsError: with every problem.
        """
        return cls(PredictionSettings.from_env(environ, env_file=env_file))

    async def open(self) -> Self:
        """Begin to send; the gateway need not be there yet.

        Raises:
            SettingsError: the file of authorities cannot be used.
            RuntimeError: it is open.
        """
        if self._sending is not None:
            raise RuntimeError("the client is open already")
        queue = Queue(self.settings.queue, now=self._now)
        sender = Sender(self.settings, queue, tls=self.settings.tls(), now=self._now)
        self._queue, self._sending = queue, asyncio.create_task(_send(sender, queue), name="predictions")
        return self

    async def close(self) -> None:
        """Wait for what is under way, ``close_within`` seconds at most, and send no more."""
        if self._sending is None:
            return
        await self.flush(within=self.settings.close_within)
        sending, self._sending = self._sending, None
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending

    async def __aenter__(self) -> Self:
        """As ``open``."""
        return await self.open()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        """As ``close``."""
        await self.close()

    async def send(self, *, within: float | None = None, **prediction: Unpack[Prediction]) -> Result:
        """Send one prediction, and wait for what becomes of it.

        Args:
            within: seconds for which it is tried, unless it runs out before; the settings' unless given.
            prediction: as ``Prediction`` has it.

        Raises:
            ValueError: it cannot be sent; nothing was.
            RuntimeError: the client is not open.
        """
        return await (await self.submit(within=within, **prediction))

    async def submit(self, *, within: float | None = None, **prediction: Unpack[Prediction]) -> Future[Result]:
        """Hand one prediction in, as soon as there is room; the future is what becomes of it.

        Raises:
            ValueError, RuntimeError: as ``send``.
        """
        return await self._put(self._line(prediction), within=within)

    async def send_all(
        self, predictions: Iterable[Prediction], *, within: float | None = None
    ) -> AsyncIterator[Result]:
        """Send many, and give what becomes of each, in their order.

        They are taken as there is room, so that there may be any number. One that cannot be sent is *refused* in its
        place.

        Raises:
            RuntimeError: the client is not open.
        """
        sent: deque[Future[Result]] = deque()
        for prediction in predictions:
            sent.append(await self.offer(prediction, within=within))
            while sent and (sent[0].done() or len(sent) >= self.settings.queue):
                yield await sent.popleft()
        while sent:
            yield await sent.popleft()

    async def offer(self, prediction: Prediction, *, within: float | None = None) -> Future[Result]:
        """As ``submit``; one that cannot be sent is refused.

        Raises:
            RuntimeError: the client is not open.
        """
        try:
            return await self.submit(within=within, **prediction)
        except ValueError as error:
            refused: Future[Result] = asyncio.get_running_loop().create_future()
            key = str(prediction.get("idempotency_key") or "")
            refused.set_result(Result(outcome=Outcome.REFUSED, idempotency_key=key, reason=str(error)))
            return refused

    async def flush(self, *, within: float | None = None) -> bool:
        """Wait until all that was handed in has an outcome, or for ``within`` seconds; whether it has."""
        if self._queue is None:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._queue.none()
                return True
        return False

    def _line(self, prediction: Prediction) -> Line:
        settings = self.settings
        return line_of(
            prediction,
            model=settings.model,
            model_version=settings.model_version,
            now=self._now(),
            new_key=self._new_key,
        )

    async def _put(self, line: Line, *, within: float | None) -> Future[Result]:
        if self._queue is None:
            raise RuntimeError("the client is not open: use it as `with ... as client`, or call open()")
        await asyncio.sleep(0)  # let the sender have its turn, whoever hands in thousands
        return await self._queue.put(line, within=self.settings.within if within is None else within)


async def _send(sender: Sender, queue: Queue) -> None:
    """Send until cancelled; whatever ends it leaves nobody waiting."""
    try:
        await sender.run()
    except Exception:
        log.exception("the client has failed")
        raise
    finally:
        queue.close("the client was closed")

"""The client for pipelines and notebooks without an event loop, or with one that must not wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

from bot_plugin.loop_thread import LoopThread
from bot_plugin.predictions.asynchronous import AsyncPredictionClient, random_key, utc_now
from bot_plugin.predictions.body import Prediction
from bot_plugin.predictions.results import Result
from bot_plugin.predictions.settings import PredictionSettings


class PredictionClient:
    """Sends predictions to the gateway: ``with PredictionClient(settings) as client``.

    Each method may be called from any thread. The connection lives in a thread of its own.

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
        self._client = AsyncPredictionClient(settings, now=now, new_key=new_key)
        self._thread = LoopThread("bot_plugin.predictions")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, *, env_file: str | Path | None = None) -> Self:
        """Read ``SIGNAL_GATEWAY_*`` from the environment, and from a file of ``KEY=VALUE`` lines.

        Raises:
            SettingsError: with every problem.
        """
        return cls(PredictionSettings.from_env(environ, env_file=env_file))

    @property
    def settings(self) -> PredictionSettings:
        """To whom, and by whom."""
        return self._client.settings

    def open(self) -> Self:
        """Begin to send; the gateway need not be there yet.

        Raises:
            SettingsError: the file of authorities cannot be used.
            RuntimeError: it is open.
        """
        if self._thread.running:
            raise RuntimeError("the client is open already")
        self._thread.start()
        try:
            self._thread.do(self._client.open())
        except BaseException:
            self._thread.stop()
            raise
        return self

    def close(self) -> None:
        """Wait for what is under way, ``close_within`` seconds at most, and send no more."""
        try:
            if self._thread.running:
                self._thread.do(self._client.close())
        finally:
            self._thread.stop()

    def __enter__(self) -> Self:
        """As ``open``."""
        return self.open()

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        """As ``close``."""
        self.close()

    def send(self, *, within: float | None = None, **prediction: Unpack[Prediction]) -> Result:
        """Send one prediction, and wait for what becomes of it.

        Args:
            within: seconds for which it is tried, unless it runs out before; the settings' unless given.
            prediction: as ``Prediction`` has it.

        Raises:
            ValueError: it cannot be sent; nothing was.
            RuntimeError: the client is not open.
        """
        return self._thread.do(self._client.send(within=within, **prediction))

    def submit(self, *, within: float | None = None, **prediction: Unpack[Prediction]) -> Future[Result]:
        """Hand one prediction in, as soon as there is room; the future is what becomes of it.

        Raises:
            ValueError, RuntimeError: as ``send``.
        """
        pending = self._thread.do(self._client.submit(within=within, **prediction))
        return self._thread.begin(_result(pending))

    def send_all(self, predictions: Iterable[Prediction], *, within: float | None = None) -> Iterator[Result]:
        """Send many, and give what becomes of each, in their order.

        They are taken as there is room, so that there may be any number. One that cannot be sent is *refused* in its
        place.

        Raises:
            RuntimeError: the client is not open.
        """
        sent: deque[Future[Result]] = deque()
        for prediction in predictions:
            sent.append(self._thread.begin(self._outcome(prediction, within)))
            while sent and (sent[0].done() or len(sent) >= self.settings.queue):
                yield sent.popleft().result()
        while sent:
            yield sent.popleft().result()

    def flush(self, *, within: float | None = None) -> bool:
        """Wait until all that was handed in has an outcome, or for ``within`` seconds; whether it has."""
        return self._thread.do(self._client.flush(within=within))

    async def _outcome(self, prediction: Prediction, within: float | None) -> Result:
        return await (await self._client.offer(prediction, within=within))


async def _result(pending: asyncio.Future[Result]) -> Result:
    return await pending

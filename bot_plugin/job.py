"""A signal on its way through one handler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bot_plugin.following import Following
from bot_plugin.registration import Registration
from bot_plugin.signal import Signal
from schemas.fields import to_micros
from schemas.receipt import Stage


class Job:
    """One signal on its way through one handler.

    Args:
        told: called on the thread on which the strategy told something of its orders.

    Attributes:
        stage: the last one reached.
        note: what its receipts say from now on beside their own reasons.
        cut: why it is not to be run but reported: an earlier process was inside the handler when it ended.
        passed: whether its turn came; where its handler was not here then, it waits for that alone.
        orders: those that followed, as far as the strategy told.
        filled: whether the receipt that says so was sent.
    """

    __slots__ = (
        "cut", "expires_at", "filled", "note", "orders", "passed", "registration", "signal", "stage", "started_at",
    )  # fmt: skip

    def __init__(
        self,
        signal: Signal,
        registration: Registration,
        told: Callable[[Job], None],
        *,
        orders: tuple[str, ...] = (),
    ) -> None:
        self.orders = Following(lambda: told(self), ids=orders)
        self.signal, self.registration = replace(signal, orders=self.orders), registration
        self.expires_at = to_micros(signal.expires_at)
        self.stage = Stage.RECEIVED
        self.started_at: int | None = None
        self.note: str | None = None
        self.cut: str | None = None
        self.passed = self.filled = False

    def __repr__(self) -> str:
        return f"Job({self.signal.id} in {self.registration.name}, {self.stage})"

    @property
    def ended(self) -> bool:
        """Whether its final stage is reached."""
        return self.stage.final

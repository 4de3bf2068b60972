"""A signal on its way through one handler."""

from __future__ import annotations

from bot_plugin.registration import Registration
from bot_plugin.signal import Signal
from schemas.fields import to_micros
from schemas.receipt import Stage


class Job:
    """One signal on its way through one handler.

    Args:
        stage: the last one reached.
        note: what its receipts say from now on beside their own reasons.
        cut: why it is not to be run but reported: an earlier process was inside the handler when it ended.
    """

    __slots__ = ("cut", "expires_at", "note", "registration", "signal", "stage", "started_at")

    def __init__(self, signal: Signal, registration: Registration) -> None:
        self.signal, self.registration = signal, registration
        self.expires_at = to_micros(signal.expires_at)
        self.stage = Stage.RECEIVED
        self.started_at: int | None = None
        self.note: str | None = None
        self.cut: str | None = None

    def __repr__(self) -> str:
        return f"Job({self.signal.id} in {self.registration.name}, {self.stage})"

    @property
    def ended(self) -> bool:
        """Whether its final stage is reached."""
        return self.stage.final

"""What delivery can be told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySettings:
    """How much of the outbox is held in memory, and how often it is looked through. Times are seconds.

    Args:
        loaded: rows of all lanes together.
        lane_loaded: rows of one lane.
        sweep: between looks for what expired and whose pause is over.
        audit: between looks for rows on disk that no lane in memory knows of.
        unreceived_window: signals that a bot may have been sent without a receipt.
        redeliver_after: after which a signal without a receipt is published again, and no longer holds others up.
        gap_after: after which a signal is, that a bot has not receipted though it has a later one of its lane.
        answer_after: after the expiry, in which receipts may still come.
        told_after: after which the journal is told why a signal is held.
        idle: after which an idle lane leaves the memory; its last number is in the journal by then.
    """

    loaded: int = 4096
    lane_loaded: int = 64
    sweep: float = 0.2
    audit: float = 5.0
    unreceived_window: int = 256
    redeliver_after: float = 5.0
    gap_after: float = 0.1
    answer_after: float = 5.0
    told_after: float = 1.0
    idle: float = 60.0

"""The gateway's errors, by who can mend them."""

from __future__ import annotations

from enum import Enum

from schemas.errors import Fault


class Code(Enum):
    """The stable codes of refused requests, each with its HTTP status and the title a person reads."""

    UNREADABLE = ("unreadable", 400, "The body cannot be read")
    INVALID = ("invalid", 422, "The body can be read, but it is wrong")
    STALE = ("stale", 422, "The signal is too old")
    TOO_LARGE = ("too_large", 413, "The body is too large")
    UNKNOWN_ENCODING = ("unknown_encoding", 415, "The Content-Encoding is not known")
    IN_PROGRESS = ("in_progress", 409, "A request with this idempotency key is still in progress")
    WRONG_ADDRESS = ("wrong_address", 422, "The source takes something else here")
    KEY_REUSED = ("key_reused", 422, "The idempotency key was used for another body")

    def __init__(self, code: str, status: int, title: str) -> None:
        self.code = code
        self.status = status
        self.title = title


class Refused(Exception):
    """The sender must change the request; sending it again as it is brings the same answer.

    Args:
        code: what kind of refusal.
        faults: what is wrong, and where.
    """

    def __init__(self, code: Code, *faults: Fault) -> None:
        self.code = code
        self.faults = faults
        super().__init__(f"{code.title}: {' '.join(map(str, faults))}")


class Unauthorised(Exception):
    """The caller has not shown a secret that is valid here. ``cause`` is for the log and the metrics only."""

    def __init__(self, cause: str) -> None:
        self.cause = cause
        super().__init__(cause)


class NotStored(Exception):
    """Nothing was stored and nothing is wrong with the request: the sender should send it again.

    Args:
        cause: a word for metrics: ``disk``, ``share``, ``rate``, ``stopping``.
        problem: what is wrong and what the operator can do.
        again: seconds after which a program may send it again.
    """

    def __init__(self, cause: str, problem: str, *, again: float = 5.0) -> None:
        self.cause = cause
        self.problem = problem
        self.again = again
        super().__init__(problem)


class Misconfigured(Exception):
    """The operator must change the configuration or the machine."""

"""The closed lists that labels come from; whatever is on none of them is OTHER."""

from __future__ import annotations

from gateway.errors import Code
from schemas.command import Command
from schemas.receipt import Stage
from schemas.topics import TELEMETRY

OTHER = "-"
"""The label of whatever is on no list."""

BODIES = frozenset({"trade", "alert", "prediction", "withdraw"})
CODES = frozenset(code.code for code in Code)
STATIONS = frozenset(
    {"waiting", "held", "publishing", "published", "receipted", "unanswered", "denied", "unheard", "unknown"}
    | {"expired", "superseded", "withdrawn", "dead"}
)
UNAUTHORISED = frozenset(
    {"unknown_source", "no_secret", "wrong_secret", "expired_secret", "revoked_secret", "address", "api_key"}
    | {"wrong_signature"}
)
NOT_STORED = frozenset({"disk", "share", "rate", "stopping", "busy"})
LISTENERS = frozenset({"public", "private"})
ROUTES = frozenset(
    {"hook", "livez", "readyz", "metrics", "status", "signals", "signal", "refusals", "tokens", "withdraw"}
    | {"bots", "bot", "logs", "forget", "command", "contract", "contracts", "post_predictions", "post_signals"}
)
CHANNELS = frozenset(TELEMETRY)
METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"})
AUDITED = frozenset({"done", "refused", "unknown", "failed"})
COMMANDS = frozenset({*map(str, Command), "command"})
COMMANDED = frozenset({"done", "refused", "unknown", "not_delivered", "failed"})
ML_SIGNALS = frozenset({"prediction", "neutral", "denied"})
NOTIFIED = frozenset({"sent", "retried", "failed", "dropped"})
PROBLEMS = frozenset(
    {"reduce_expired", "denied", "dead", "interrupted", "failed", "refused", "unanswered"}
    | {"bot_dead", "source_silent", "journal_unwritable", "broker_away", "bot_notified", "retained_found"}
)
STAGES = frozenset(map(str, Stage))


def one_of(text: str, names: frozenset[str]) -> str:
    """Label a text, or call it OTHER where it is on no list."""
    return text if text in names else OTHER

"""The operations of the public listener."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.intake.parse import MAX_DOCUMENTS
from gateway.intake.source import Door
from gateway.web.contracts import answers as a
from gateway.web.contracts.operations import JSON, TEXT, Answer, Body, Operation, in_header, in_path, in_query
from gateway.web.contracts.posted import PostedPredictionSchema, PostedTradeSchema

_RULES = "What is not known is kept or passed over; a name that is nearly that of a field of a prediction is refused."
_DIALECTS = "An alert in any of the dialects; the content type does not matter."
_ALERT = {"ticker": "BINANCE:BTCUSDT", "action": "buy", "contracts": "0.1", "price": "97250.5"}
_TRADE = {
    "action": "buy",
    "instrument": {"raw": "BTC-USDT"},
    "position": {"target": "long", "size": "0.5"},
    "order": {"quantity": {"value": "0.5", "unit": "base"}},
}
_PREDICTION = {
    "model": {"name": "btc-lstm", "version": "2026-11-20"},
    "pair": "BTC-USDT",
    "horizon": 3600,
    "probabilities": {"short": 0.1, "neutral": 0.2, "long": 0.7},
}
_PROBLEMS = (
    "bad_request", "internal", "unauthorised", "unreadable", "invalid", "stale", "key_reused", "in_progress",
    "too_large", "unknown_encoding", "timeout", "not_stored",
)  # fmt: skip
_SOURCE = in_path("source", "A source's name.")
_HEADERS = (
    in_header(
        "Idempotency-Key", "A repeat with the same key and body within 24 h is a duplicate; at most 255 characters."
    ),
    in_header("traceparent", "W3C trace context, kept in the envelope."),
)
_ON_DISK = Answer(text="It is on disk; for an array, an entry for each.", schema=a.AcceptedSchema, listed=True)
_STORED = {200: Answer(text="It is on disk since before, under this id.", schema=a.AcceptedSchema), 202: _ON_DISK}
_POSTED = {
    200: Answer(
        text="It is on disk since before, under this id; for NDJSON, a line for each line when it is on disk.",
        schema=a.AcceptedSchema, lines=(a.LineSchema, a.LastLineSchema),
    ),
    202: _ON_DISK,
}  # fmt: skip
_SIGNED = (
    in_header("webhook-id", "Standard Webhooks: the message's id, which is its idempotency key."),
    in_header("webhook-timestamp", "Standard Webhooks: seconds since the epoch, at most 5 min off."),
)


def public_operations() -> Iterator[Operation]:
    """Every operation of the public listener."""
    yield from _hooks()
    yield from _posts()


def _posts() -> Iterator[Operation]:
    for door, what, schema, example in (
        (Door.PREDICTIONS, "predictions", PostedPredictionSchema, _PREDICTION),
        (Door.SIGNALS, "signals", PostedTradeSchema, _TRADE),
    ):
        yield Operation(
            name=f"post-{door}", route=f"post_{door}", method="post", path=f"/v1/{door}/{{source}}",
            summary=f"Take {what} in: one, an array that is taken whole or not at all, or one on each line.",
            parameters=(_SOURCE, *_HEADERS, *_SIGNED), answers=_POSTED,
            body=Body(schema=schema, text=_RULES, listed=MAX_DOCUMENTS, lines=True, example=example),
            problems=(*_PROBLEMS, "wrong_address", "too_many"), secrets=("token", "signature"),
        )  # fmt: skip


def _hooks() -> Iterator[Operation]:
    token = in_path("token", "The source's token.")
    key = in_query("key", "The token, where the source takes it here.", type="string")
    for name, path, parameters in (
        ("hook", "/hooks/{source}/{token}", (_SOURCE, token)),
        ("hook-key", "/hooks/{source}", (_SOURCE, key)),
    ):
        yield Operation(
            name=name, route="hook", method="post", path=path, parameters=(*parameters, *_HEADERS),
            summary="Take an alert in.", answers=_STORED, problems=_PROBLEMS,
            body=Body(content=(JSON, TEXT), text=_DIALECTS, example=_ALERT),
            secrets=(),
        )  # fmt: skip
        page = {200: Answer(text="A page that tells nothing about the token.", content=(TEXT,))}
        yield Operation(
            name=f"{name}-page", route="hook", path=path, parameters=parameters, answers=page, secrets=(),
            summary="What a browser sees.", problems=("bad_request", "internal"),
        )  # fmt: skip

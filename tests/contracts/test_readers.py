"""Signals, commands and telemetry: what their schemas let through is read, and what is sent is valid."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from bot_plugin.reading import Unreadable
from bot_plugin.reading import read as arrived
from bot_plugin.transport import Message
from gateway.delivery.route import external_event
from schemas.command import PARAMETERS, Command
from schemas.errors import ContractError
from schemas.record import load
from schemas.rpc import read_reply, read_request
from schemas.signature import SignedSchema
from schemas.telemetry import read
from schemas.topics import TELEMETRY
from tests.contracts.test_json_schemas import SPECIAL, places, problems, replaced
from tests.golden.commands import REPLIES, REQUESTS
from tests.golden.messages import MESSAGES
from tests.golden.test_v1 import FOLDER, golden

COMMANDED = {
    "start": {"log_level": "INFO", "script": "a.py", "conf": "a.yml", "is_quickstart": True, "async_backend": True},
    "stop": {"skip_order_cancellation": True},
    "import": {"strategy": "pmm"},
    "config": {"params": [["bid_spread", 0.1]]},
    "status": {"async_backend": True},
    "history": {"days": 1.5, "verbose": True, "precision": 3},
    "balance": {"exchange": "binance", "asset": "BTC"},
    "balance/limit": {"exchange": "binance", "asset": "BTC", "amount": "0.50"},
    "balance/paper": {"asset": "BTC", "amount": 3},
}
"""Parameters of each command."""

UNREADABLE = (
    "n" * 300,
    10**20,
    10**39,
    "1e400",
    "1e-200",
    "1" * 20,
    "1" * 21,
    "1970-01-01T00:00:00Z",
    "1969-12-31T23:00:00Z",
)


def let_through(name: str, document: Any, take: Callable[[Any], object]) -> list[tuple[Any, Any]]:
    """What the schema has nothing against, and the reader has. To JSON Schema 3.0 is an integer: no reader takes it."""
    found = []
    for path in places(document):
        for value in (value for value in (*SPECIAL, *UNREADABLE) if not isinstance(value, float) or value % 1):
            changed = replaced(document, path, value)
            if problems(name, changed) == []:
                try:
                    take(changed)
                except ContractError:
                    found.append((path, value))
    return found


@pytest.mark.parametrize("name", ["trade", "alert", "prediction", "withdraw"])
@pytest.mark.parametrize("spelled", ["absent", "null"])
def test_a_bot_reads_every_signal_that_its_schema_finds_whole(name: str, spelled: str) -> None:
    document = json.loads(golden(name))
    tree, body = "signals-test" if document["mode"] == "test" else "signals", name.replace("withdraw", "trade")
    topic = f"{tree}/v1/{body}/{document['source'].removeprefix('/sources/')}/{document['subject']}"
    for attribute in document:
        lacking = {name: value for name, value in document.items() if name != attribute}
        lacking |= {attribute: None} if spelled == "null" else {}
        message = Message(topic=topic, payload=json.dumps(lacking).encode())
        signal = arrived(message, root="signals", now=lambda: 0, monotonic=lambda: 0)

        assert (problems(f"envelope.signal.{name}", lacking) == []) == (not isinstance(signal, Unreadable)), attribute


@pytest.mark.parametrize("name", ["trade", "alert", "prediction", "withdraw"])
def test_a_signals_schema_knows_its_type(name: str) -> None:
    document = json.loads(golden(name))

    assert problems(f"envelope.signal.{name}", document | {"type": "signal.other.v1"})


@pytest.mark.parametrize("command", Command)
def test_no_parameter_that_its_schema_lets_through_is_refused_by_the_bot(command: Command) -> None:
    name = f"command.{command.replace('/', '-')}"

    assert problems(name, COMMANDED[command]) == []
    assert let_through(name, COMMANDED[command], partial(load, PARAMETERS[command])) == []


@pytest.mark.parametrize("name", [*REQUESTS, *REPLIES])
def test_no_command_that_its_schema_lets_through_is_refused_by_its_reader(name: str) -> None:
    schema, read_it = ("command.request", read_request) if name in REQUESTS else ("command.reply", read_reply)

    assert let_through(schema, json.loads(golden(name)), lambda document: read_it(json.dumps(document).encode())) == []


def test_nothing_signed_that_its_schema_lets_through_is_refused_by_the_bot() -> None:
    payload = json.loads(json.loads(golden("command_signature"))["payload"])

    assert let_through("command.signed", payload, partial(load, SignedSchema)) == []


@pytest.mark.parametrize("channel", TELEMETRY)
def test_no_telemetry_that_its_schema_lets_through_is_refused_by_the_gateway(channel: str) -> None:
    told = json.loads((FOLDER / "telemetry" / f"{channel}.json").read_bytes())

    taken = let_through(f"telemetry.{channel}", told, lambda document: read(channel, json.dumps(document).encode()))
    assert taken == []


@pytest.mark.parametrize("name", ["trade", "trade_minimal", "alert", "alert_minimal"])
def test_what_a_stock_bot_is_sent_is_valid(name: str) -> None:
    envelope, body = MESSAGES[name].envelope, MESSAGES[name].body
    sent = json.loads(external_event(envelope, body))

    assert problems("hummingbot.external_event", sent) == []
    for wrong in ({"type": None}, {"mode": "real"}, {"id": 1}):
        assert problems("hummingbot.external_event", sent | {"data": sent["data"] | wrong})

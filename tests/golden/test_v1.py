"""Version 1 on the wire, byte for byte. A change that fails here breaks readers that are out there: it is version 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.envelope import body, decode, encode
from schemas.receipt import Stage
from schemas.record import load
from schemas.topics import NamedTopic, SignalTopic, Topics
from tests.golden.commands import REPLIES, REQUESTS
from tests.golden.messages import MESSAGES

FOLDER = Path(__file__).parent / "v1"
TOPICS = json.loads((FOLDER / "topics.json").read_text())


def golden(name: str) -> bytes:
    return (FOLDER / f"{name}.json").read_bytes()


def test_every_file_is_held_by_a_test() -> None:
    held = {*MESSAGES, *REQUESTS, *REPLIES, "topics", "command_signature"}
    assert {path.stem for path in FOLDER.iterdir()} == held


def test_there_is_a_receipt_of_each_stage() -> None:
    assert {f"receipt_{stage}" for stage in Stage} <= MESSAGES.keys()


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_is_written_as_exactly_these_bytes(name: str) -> None:
    assert encode(MESSAGES[name].envelope) == golden(name)


@pytest.mark.parametrize("name", MESSAGES)
def test_these_bytes_are_read_as_exactly_this_message(name: str) -> None:
    read = decode(golden(name))
    assert read == MESSAGES[name].envelope
    assert load(MESSAGES[name].schema, read.data) == MESSAGES[name].body


@pytest.mark.parametrize("name", MESSAGES)
def test_what_was_read_is_written_as_the_same_bytes(name: str) -> None:
    read = decode(golden(name))
    record = load(MESSAGES[name].schema, read.data)
    assert body(MESSAGES[name].schema, record) == read.data
    assert encode(read) == golden(name)


@pytest.mark.parametrize("row", TOPICS["signals"], ids=lambda row: row["topic"])
def test_a_signal_has_exactly_this_topic(row: dict) -> None:
    topics = Topics(root=row.get("root", "signals"))
    place = SignalTopic(row["body"], row["source"], row["instrument"], row.get("test", False))
    assert topics.signal(place) == row["topic"]
    assert topics.parse(row["topic"]) == place


@pytest.mark.parametrize("row", TOPICS["named"], ids=lambda row: row["topic"])
def test_a_receipt_or_card_has_exactly_this_topic(row: dict) -> None:
    topics = Topics()
    assert getattr(topics, row["kind"])(row["name"]) == row["topic"]
    assert topics.parse(row["topic"]) == NamedTopic(row["kind"], row["name"])


@pytest.mark.parametrize("row", TOPICS["external_events"], ids=lambda row: row["topic"])
def test_an_external_event_has_exactly_this_topic(row: dict) -> None:
    assert Topics().external_event(row["bot"], row["name"]) == row["topic"]

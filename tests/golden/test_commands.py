"""Remote commands on the wire, byte for byte: requests, replies, and test vectors for signatures."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from schemas.rpc import read_reply, read_request, write_reply, write_request
from schemas.signature import SignatureRefused, sign, verify
from tests.golden.commands import KEY, REPLIES, REQUESTS, SIGNED
from tests.golden.test_v1 import FOLDER, golden

VECTORS = json.loads((FOLDER / "command_signature.json").read_text())


def as_bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_written_as_exactly_these_bytes_and_read_from_them(name: str) -> None:
    assert write_request(REQUESTS[name]) == golden(name)
    assert read_request(golden(name)) == REQUESTS[name]


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_is_written_as_exactly_these_bytes_and_read_from_them(name: str) -> None:
    assert write_reply(REPLIES[name]) == golden(name)
    assert read_reply(golden(name)) == REPLIES[name]


def test_a_signature_is_made_as_exactly_this_text() -> None:
    assert sign(SIGNED, KEY) == VECTORS["signature"]


def test_the_vector_says_what_was_signed() -> None:
    header, payload, _ = VECTORS["signature"].split(".")

    assert as_bytes(header).decode() == VECTORS["header"]
    assert as_bytes(payload).decode() == VECTORS["payload"]
    assert (VECTORS["kid"], as_bytes(VECTORS["secret"])) == (KEY.kid, KEY.secret)


@pytest.mark.parametrize("row", VECTORS["checks"], ids=lambda row: row["case"])
def test_a_signature_holds_or_is_refused_as_the_vectors_say(row: dict[str, Any]) -> None:
    signature = row.get("signature", VECTORS["signature"])

    def check() -> Any:
        return verify(signature, topic=row["topic"], keys={KEY.kid: KEY}, now=row["now"] * 1_000)

    if row["valid"]:
        assert check() == SIGNED
    else:
        with pytest.raises(SignatureRefused):
            check()


def test_the_vectors_have_a_case_of_each_kind() -> None:
    assert {row["valid"] for row in VECTORS["checks"]} == {True, False}

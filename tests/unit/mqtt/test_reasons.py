"""Reason codes are read where gmqtt leaves them, and said in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mqtt.reasons import in_words, is_permanent, read_reason

REASON_STRING = b"\x1f\x00\x05quota"
USER_PROPERTY = b"\x26\x00\x01a\x00\x01b"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (0, "")),
        (b"\x87", (0x87, "")),
        (b"\x87\x00", (0x87, "")),
        (b"\x97\x08" + REASON_STRING, (0x97, "quota")),
        (b"\x97\x0f" + USER_PROPERTY + REASON_STRING, (0x97, "quota")),
        (b"\x97\x07" + USER_PROPERTY, (0x97, "")),
        (b"\x97\x02\xfe\x00", (0x97, "")),
        (b"\x97\x80", (0x97, "")),
        (b"\x97\x03\x1f\x00", (0x97, "")),
        (b"\x97\x05\x1f\x00\x02\xff\xff", (0x97, "")),
    ],
)
def test_a_reason_is_read_with_the_brokers_own_words(body, expected):
    assert read_reason(body) == expected


@given(st.binary())
def test_whatever_comes_the_code_is_read(body):
    assert read_reason(body)[0] == (body[0] if body else 0)


def test_a_reason_is_said_in_words_with_its_code():
    assert in_words(0x87, text="no") == "not authorised (0x87, 'no')"
    assert in_words(0x04) == "bad user name or password (0x04)"
    assert in_words(0xFE) == "unknown reason (0xFE)"


@pytest.mark.parametrize(("code", "permanent"), [(4, True), (3, False), (0x86, True), (0x88, False), (0x89, False)])
def test_only_what_an_operator_must_mend_is_permanent(code, permanent):
    assert is_permanent(code) is permanent

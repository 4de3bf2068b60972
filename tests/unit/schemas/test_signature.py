"""Signed commands: a signature is good for one topic, one call and a few minutes, and says why where it is not."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from dataclasses import replace

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.signature import AHEAD, CommandKey, SignatureRefused, Signed, sign, verify

NOW = 1_786_000_000_000_000
KEY = CommandKey(kid="ops-1", secret=b"0123456789abcdef0123456789abcdef")
KEYS = {KEY.kid: KEY}
SIGNED = Signed(
    topic="hbot/demo/stop", msg_id="7f3a", deadline=NOW + 30_000_000, reply_to="rpc-" + "0" * 32, data={"a": 1}
)


def test_what_was_signed_is_read_back() -> None:
    assert verify(sign(SIGNED, KEY), topic=SIGNED.topic, keys=KEYS, now=NOW) == SIGNED


@pytest.mark.parametrize(
    ("topic", "now", "why"),
    [
        ("hbot/demo/status", NOW, "is for 'hbot/demo/stop', not for 'hbot/demo/status'"),
        ("hbot/other/stop", NOW, "not for 'hbot/other/stop'"),
        ("hbot/demo/stop", NOW + 30_000_001, "deadline is over"),
        ("hbot/demo/stop", NOW + 30_000_000 - AHEAD - 1, "300 s ahead"),
    ],
)
def test_a_signature_is_good_for_its_topic_and_its_time(topic: str, now: int, why: str) -> None:
    with pytest.raises(SignatureRefused, match=why):
        verify(sign(SIGNED, KEY), topic=topic, keys=KEYS, now=now)


def test_a_missing_signature_is_refused() -> None:
    with pytest.raises(SignatureRefused, match="not signed"):
        verify("", topic=SIGNED.topic, keys=KEYS, now=NOW)


def test_a_header_that_overflows_the_stack_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Older versions of PyJWT let ``json`` recurse until it cannot."""

    def overflow(_signature: str) -> None:
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr("schemas.signature._JWS.get_unverified_header", overflow)
    with pytest.raises(SignatureRefused, match="not valid: maximum recursion depth"):
        verify("x.y.z", topic=SIGNED.topic, keys=KEYS, now=NOW)


def test_an_unknown_key_is_refused_by_its_name() -> None:
    with pytest.raises(SignatureRefused, match="'old'"):
        verify(sign(SIGNED, replace(KEY, kid="old")), topic=SIGNED.topic, keys=KEYS, now=NOW)


def test_another_secret_is_refused() -> None:
    with pytest.raises(SignatureRefused, match="not valid"):
        verify(sign(SIGNED, replace(KEY, secret=b"x" * 32)), topic=SIGNED.topic, keys=KEYS, now=NOW)


@pytest.mark.parametrize("algorithm", ["none", "HS512"])
def test_another_algorithm_is_refused(algorithm: str) -> None:
    payload = jwt.decode(sign(SIGNED, KEY), options={"verify_signature": False})
    secret = None if algorithm == "none" else b"0123456789abcdef" * 4
    forged = jwt.encode(payload, secret, algorithm=algorithm, headers={"kid": KEY.kid})

    with pytest.raises(SignatureRefused, match="not valid"):
        verify(forged, topic=SIGNED.topic, keys=KEYS, now=NOW)


@pytest.mark.parametrize("missing", ["topic", "msg_id", "deadline", "reply_to", "data"])
def test_a_payload_that_lacks_something_is_refused_by_its_name(missing: str) -> None:
    payload = jwt.decode(sign(SIGNED, KEY), options={"verify_signature": False})
    del payload[missing]
    forged = jwt.encode(payload, KEY.secret, algorithm="HS256", headers={"kid": KEY.kid})

    with pytest.raises(SignatureRefused, match=f"{missing}: is missing"):
        verify(forged, topic=SIGNED.topic, keys=KEYS, now=NOW)


def test_the_names_of_registered_claims_mean_nothing_in_a_command() -> None:
    payload = jwt.decode(sign(SIGNED, KEY), options={"verify_signature": False}) | {"exp": 1, "nbf": 2**33, "iss": "x"}
    signature = jwt.encode(payload, KEY.secret, algorithm="HS256", headers={"kid": KEY.kid})

    assert verify(signature, topic=SIGNED.topic, keys=KEYS, now=NOW) == SIGNED


def test_a_short_secret_makes_no_key() -> None:
    with pytest.raises(ValueError, match="31 bytes; it needs 32"):
        CommandKey(kid="ops-1", secret=b"x" * 31)


def test_a_key_does_not_show_its_secret() -> None:
    assert "0123456789" not in repr(KEY)


def test_a_signature_is_a_compact_jws_of_milliseconds() -> None:
    header, payload, _ = sign(SIGNED, KEY).split(".")

    assert json.loads(urlsafe_b64decode(header + "==")) == {"alg": "HS256", "kid": "ops-1"}
    assert json.loads(urlsafe_b64decode(payload + "=="))["deadline"] == SIGNED.deadline // 1_000


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")), st.integers(0, 200))
def test_a_damaged_signature_is_refused_in_peace(junk: str, place: int) -> None:
    good = sign(SIGNED, KEY)
    for signature in (junk or "x", good[:place] + junk + "!" + good[place:]):
        with pytest.raises(SignatureRefused):
            verify(signature, topic=SIGNED.topic, keys=KEYS, now=NOW)

"""The quick reader of receipts reads nothing but what the contract's reader reads, and reads it the same."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from gateway.bots.reading import _INSTANT, _PLAIN, read_any, read_plain
from schemas.envelope import RECEIPT, Envelope, body, encode, schema_urn
from schemas.errors import ContractError
from schemas.fields import instant_text
from schemas.receipt import Receipt, ReceiptSchema, Stage

PLAIN = st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters='"\\')
plain, texts = st.text(PLAIN, min_size=1, max_size=64), st.text(min_size=1, max_size=20)
instants = st.datetimes(timezones=st.just(UTC))


def receipts_of(text, **more):
    return st.builds(
        Receipt,
        signal=text,
        bot=st.from_regex(r"[A-Za-z0-9_-]{1,128}", fullmatch=True),
        stage=st.sampled_from(Stage),
        at=instants,
        handler=st.none() | text,
        received_at=st.none() | instants,
        started_at=st.none() | instants,
        **more,
    )


plain_receipts = receipts_of(plain, duration_ms=st.none() | st.integers(0, 10**9).map(lambda micros: micros / 1000))
any_receipts = receipts_of(
    texts | plain,
    duration_ms=st.none() | st.integers(0, 2**70) | st.floats(0, allow_infinity=False),
    reason=st.none() | texts,
    order_ids=st.lists(texts, max_size=2).map(tuple),
)


def spelled(receipt: Receipt, id_: str, time: datetime) -> bytes:
    """As the plugin spells it."""
    return encode(
        Envelope(
            id=id_,
            source=f"/bots/{receipt.bot}",
            type=RECEIPT,
            time=time,
            subject=receipt.signal,
            dataschema=schema_urn(RECEIPT),
            causationid=receipt.signal,
            data=body(ReceiptSchema, receipt),
        )
    )


def same(payload: bytes) -> bool:
    """Whether the quick reader knows the message; then both must read the same."""
    quick = read_plain(payload)
    if quick is not None:
        assert quick == read_any(payload)
    return quick is not None


@given(plain_receipts, plain, instants)
def test_an_ordinary_receipt_is_read_quickly_and_the_same(receipt, id_, time):
    assert same(spelled(receipt, id_, time))
    assert read_plain(spelled(receipt, id_, time)) == (id_, receipt)


@given(any_receipts, plain, instants)
def test_any_receipt_is_read_the_same_or_left_to_the_contract(receipt, id_, time):
    try:
        payload = spelled(receipt, id_, time)
    except ValueError:  # a lone surrogate
        return
    same(payload)


@given(plain_receipts, plain, instants, st.data())
def test_a_receipt_with_a_byte_changed_is_read_the_same_or_left_to_the_contract(receipt, id_, time, data):
    payload = bytearray(spelled(receipt, id_, time))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(payload) - 1))
        payload[place : place + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from([b'"', b"\\", b"0", b"9", b".", b"-", b"e", b"Z", b"T", b"\xff", b"\x00", b"{", b"}", b""])
        )
    same(bytes(payload))


@given(st.from_regex(_PLAIN, fullmatch=True), instants, st.sampled_from(Stage))
def test_whatever_the_pattern_admits_the_contract_reads_the_same(text, time, stage):
    text = re.sub(_INSTANT, instant_text(time), text, flags=re.ASCII)
    assert same(re.sub('"stage":"[a-z_]+"', f'"stage":"{stage}"', text).encode("latin-1"))


def test_times_and_stages_that_do_not_exist_are_left_to_the_contract():
    good = spelled(Receipt(signal="s", bot="b", stage=Stage.HANDLED, at=datetime(2026, 1, 1, tzinfo=UTC)), "i", TIME)
    for old, new in ((b"2026-01-01T", b"2026-13-01T"), (b"2025-05-05T", b"2025-02-30T"), (b"handled", b"handed")):
        assert good.count(old) == 1
        bad = good.replace(old, new)
        assert read_plain(bad) is None
        try:
            read_any(bad)
        except ContractError:
            continue
        raise AssertionError(bad)


TIME = datetime(2025, 5, 5, tzinfo=UTC)

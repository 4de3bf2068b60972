"""The two headers that go along with a signal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Refused
from gateway.web.reception import idempotency_key, traceparent

GOOD = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("header", "key"),
    [(None, None), ("", None), ('""', None), ("abc", "abc"), ('"abc"', "abc"), (r'"a\"b\\c"', 'a"b\\c'), ('"', '"')],
)
def test_a_key_is_a_string_in_quotes_or_bare(header: str | None, key: str | None) -> None:
    assert idempotency_key(header) == key


def test_a_key_that_is_too_long_is_refused() -> None:
    assert idempotency_key("k" * 255) == "k" * 255
    with pytest.raises(Refused):
        idempotency_key("k" * 256)


@given(st.from_regex(r"[a-zA-Z0-9_-]{1,100}", fullmatch=True))
def test_a_key_means_the_same_in_quotes(key: str) -> None:
    assert idempotency_key(f'"{key}"') == idempotency_key(key) == key


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        (GOOD, GOOD),
        (None, None),
        ("", None),
        (GOOD.upper(), None),
        (f"{GOOD}\n", None),
        (f"{GOOD}-extra", None),
        (f"ff{GOOD[2:]}", None),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", None),
        (f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01", None),
    ],
)
def test_only_a_well_formed_trace_context_is_kept(header: str | None, kept: str | None) -> None:
    assert traceparent(header) == kept

"""A compressed body takes no more memory than a plain one may."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Code, Refused
from gateway.web.body import BodyReader

LIMIT = 64 * 1024


def inflate(raw: bytes) -> bytes:
    return BodyReader(limit=LIMIT, timeout=1, most=1)._inflate(raw)


def test_a_bomb_is_left_off_at_the_limit() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    tracemalloc.start()
    with pytest.raises(Refused) as refused:
        inflate(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.code is Code.TOO_LARGE
    assert peak < 10 * LIMIT


@given(st.binary(max_size=2000))
def test_what_was_packed_comes_out_again(body: bytes) -> None:
    bare = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    for packed in (gzip.compress(body), zlib.compress(body), bare.compress(body) + bare.flush()):
        assert inflate(packed) == body


@given(st.binary(min_size=1, max_size=2000))
def test_anything_else_is_unpacked_or_refused(raw: bytes) -> None:
    try:
        assert len(inflate(raw)) <= LIMIT
    except Refused as refused:
        assert refused.code in {Code.UNREADABLE, Code.TOO_LARGE}  # noqa: PT017  either is right

"""A body is cut into lines however it arrives, and no line or compression makes it large."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Code, Refused
from gateway.intake.source import Line
from gateway.web.lines import MOST, Inflater, Splitter, portions

LONGEST = 32


def split(parts: list[bytes]) -> list[Line]:
    splitter = Splitter(longest=LONGEST)
    return [*(line for part in parts for line in splitter.feed(part)), *splitter.end()]


@given(st.lists(st.binary(max_size=LONGEST).map(lambda line: line.replace(b"\n", b"x")), max_size=12), st.data())
def test_lines_are_the_same_however_they_arrive(lines: list[bytes], data: st.DataObject) -> None:
    """Wherever the network cuts a body, its lines and their numbers are the same."""
    body = b"\n".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    parts = [body[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(body)], strict=True)]

    expected = [(number, line) for number, line in enumerate(lines, 1) if line and not line.isspace()]
    assert [(line.number, line.body) for line in split(parts)] == expected


def test_a_line_at_the_end_needs_no_end_of_its_own() -> None:
    """The last line counts with and without its line break; blank lines are left out, and counted."""
    assert [(line.number, line.body) for line in split([b"a\r\n\n \nb"])] == [(1, b"a\r"), (4, b"b")]
    assert split([b"a\n"]) == split([b"a"])
    assert split([]) == []


def test_a_line_that_is_too_long_is_refused_and_the_next_is_read() -> None:
    """Of a line beyond the limit nothing is kept; it is refused in its place."""
    first, long, last = split([b"a\n", b"x" * 20, b"x" * 20, b"x" * 99, b"\nb"])

    assert (first.number, last.number, last.body) == (1, 3, b"b")
    assert long.refused is not None
    assert (long.refused.code, long.body) == (Code.TOO_LARGE, b"")
    assert long.refused.faults[0].line == 2


def test_no_more_lines_than_are_good_are_handed_on_at_once() -> None:
    """Many lines that arrive together are taken in portions."""
    lines = split([b"\n".join([b"x"] * (2 * MOST + 1))])
    assert [len(some) for some in portions(lines)] == [MOST, MOST, 1]


PACKED = {
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "raw deflate": lambda data: zlib.compress(data)[2:-4],
    "two members": lambda data: gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :]),
}


@pytest.mark.parametrize("name", PACKED)
@given(body=st.binary(max_size=2000), step=st.integers(1, 64))
def test_a_compressed_body_is_unpacked_however_it_arrives(name: str, body: bytes, step: int) -> None:
    """Wherever the network cuts a compressed body, what it holds is the same."""
    packed, inflater = PACKED[name](body), Inflater()
    parts = [packed[start : start + step] for start in range(0, len(packed), step)]
    found = b"".join(piece for part in parts for piece in inflater.feed(part))
    inflater.end()

    assert found == body


@pytest.mark.parametrize(
    "packed",
    [b"no gzip", gzip.compress(b"x" * 99)[:-3], b"\x1f", gzip.compress(b"x") + b"rest"],
    ids=["no gzip", "cut short", "one byte", "more behind it"],
)
def test_what_is_not_what_its_encoding_says_is_refused(packed: bytes) -> None:
    """A body that is cut off, or no compressed one, is refused."""
    inflater = Inflater()
    with pytest.raises(Refused) as refused:
        [*inflater.feed(packed), inflater.end()]
    assert refused.value.code is Code.UNREADABLE


def test_a_bomb_takes_no_memory() -> None:
    """64 MiB in 64 KB come in pieces: memory stays below 2 MiB."""
    bomb, inflater, splitter, total = gzip.compress(bytes(64 * 1024 * 1024)), Inflater(), Splitter(longest=1024), 0
    tracemalloc.start()
    for piece in inflater.feed(bomb):
        total += len(piece)
        splitter.feed(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert total == 64 * 1024 * 1024
    assert peak < 2 * 1024 * 1024

"""JSON: what two readers could understand differently is refused, and nothing ends in a RecursionError."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.document import MAX_DEPTH, dump, parse


def nested(depth: int) -> Any:
    document: Any = 1
    for level in range(depth):
        document = [document] if level % 2 else {"a": document}
    return document


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b'{"a":1}x',
        b'{"a":1,}',
        b"{'a':1}",
        b'{"a":1,"a":2}',
        b'{"x":[{"a":1,"a":1}]}',
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"1e400",
        b"[-1e999999999]",
        b"1" * 5000,
        b'"\\ud800"',
        b'{"\\udc00x":1}',
        b'"\\udc00\\ud800"',
        b'"\xed\xa0\x80"',
        b'"\xff"',
        b'"\xc0\xaf"',
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        b'"a\nb"',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 65 + b"]" * 65,
    ],
    ids=lambda payload: repr(payload[:20]),
)
def test_a_payload_that_not_everybody_reads_alike_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        parse(payload)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    ("payload", "document"),
    [
        (b' {"a" : [1, 2.5, true, null] }\n', {"a": [1, 2.5, True, None]}),
        (b'"\\ud83d\\ude80"', "🚀"),
        ('"🚀"'.encode(), "🚀"),
        (b'"\\u0000"', "\x00"),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b'"[[[[{{{{"', "[[[[{{{{"),
    ],
)
def test_a_payload_that_everybody_reads_alike_is_read(payload: bytes, document: Any) -> None:
    assert parse(payload) == document


def test_brackets_in_a_text_are_no_depth() -> None:
    text = "[{" * 1000
    assert parse(dump({"a": text})) == {"a": text}


def test_as_deep_as_allowed_is_written_and_read() -> None:
    assert parse(dump(nested(MAX_DEPTH))) == nested(MAX_DEPTH)


def test_many_objects_side_by_side_are_not_deep() -> None:
    flat = [{"a": [1]} for _ in range(1000)]
    assert parse(dump(flat)) == flat


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 500, 5000])
def test_what_is_too_deep_is_not_written(depth: int) -> None:
    with pytest.raises(ValueError, match="nested deeper"):
        dump(nested(depth))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_what_is_no_json_is_not_written(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        dump({"a": value})

"""Whatever a model says and whoever answers: the line is the contract's, and no answer is believed too far."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot_plugin.predictions import PredictionSettings
from bot_plugin.predictions.answer import Step, judge, read_line
from bot_plugin.predictions.body import line_of
from bot_plugin.predictions.connection import LIMIT, Connection
from bot_plugin.predictions.results import Outcome
from bot_plugin.predictions.values import exact
from schemas.document import parse
from schemas.fields import exact as read_exact
from schemas.prediction import PredictionSchema
from schemas.record import load

NOW = datetime(2026, 11, 26, 10, tzinfo=UTC)

names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
finite = st.floats(-1e15, 1e15, allow_nan=False)
decimals = st.decimals(-(10**12), 10**12, allow_nan=False, places=6)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
numbers = st.one_of(finite, decimals, st.integers(-(2**53), 2**53))


@st.composite
def predictions(draw: st.DrawFn) -> dict[str, Any]:
    short = draw(st.floats(0, 1))
    neutral = draw(st.floats(0, 1 - short))
    said: dict[str, Any] = {
        "pair": draw(st.from_regex(r"[A-Z0-9]{1,6}[-/][A-Z]{1,6}(:[A-Z]{1,6})?", fullmatch=True)),
        "model": draw(names),
        "probabilities": {"short": short, "neutral": neutral, "long": 1 - short - neutral},
    }
    optional = {
        "value": st.tuples(names, numbers),
        "horizon": st.floats(1, 1e6) | st.timedeltas(timedelta(seconds=1), timedelta(days=90)),
        "confidence": st.floats(0, 1),
        "outlier": st.booleans(),
        "target_pct": st.decimals("0.000001", 1, places=6) | st.floats(1e-9, 1),
        "observed_at": moments,
        "features": st.dictionaries(names, numbers, max_size=5),
        "idempotency_key": names,
    }
    for name in draw(st.sets(st.sampled_from(sorted(optional)))):
        said[name] = draw(optional[name])
    if "idempotency_key" in said:
        said["observed_at"] = draw(moments)
    return said


@given(predictions())
def test_what_the_client_writes_is_what_the_contract_reads(said: dict[str, Any]) -> None:
    """The gateway's strict reader takes the line, with the numbers that the model gave."""
    line = line_of(said, model=None, model_version=None, now=NOW, new_key=lambda: "new")

    loaded = load(PredictionSchema, parse(line.text))

    assert b"\n" not in line.text
    assert loaded.model.name == said["model"]
    assert loaded.probabilities.long == said["probabilities"]["long"]
    assert loaded.idempotency_key == line.key
    if "target_pct" in said:
        assert loaded.target_pct == Decimal(str(said["target_pct"]))
    if "horizon" in said and "observed_at" not in said:
        assert loaded.valid_until == line.expires


@given(st.one_of(st.floats(), st.decimals(), st.text(), st.integers()))
def test_an_exact_number_is_one_that_the_wire_reads_or_none_at_all(value: Any) -> None:
    """Never one that is spelled wrong, or another."""
    try:
        text = exact(value)
    except ValueError:
        return
    assert read_exact(text) == (Decimal(value) if isinstance(value, str | Decimal) else Decimal(repr(float(value))))


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
lines = st.one_of(
    st.binary(max_size=200),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {}, optional={"status": st.just("accepted") | json_values, "line": json_values, "id": json_values,
                      "errors": json_values, "done": json_values, "detail": json_values},
    ).map(lambda value: json.dumps(value).encode()),
)  # fmt: skip


@given(lines)
def test_a_line_of_anybody_is_read_without_an_error(line: bytes) -> None:
    """Only the word makes it accepted, and a place is never before the first."""
    told = read_line(line)

    if told is not None and told.outcome is Outcome.ACCEPTED:
        assert json.loads(line)["status"] == "accepted"
    assert told is None or told.place is None or told.place >= 0


@given(
    st.integers(100, 599).filter(lambda status: not 200 <= status < 300),
    st.dictionaries(
        st.sampled_from(["content-type", "retry-after", "date", "location"]),
        st.sampled_from(["application/problem+json", "Thu, 26 Nov 2026 10:00:00 GMT", "7"]) | st.text(max_size=40),
    ),
    lines,
    st.integers(1, 1000),
)
def test_an_answer_of_anybody_is_judged_without_an_error(
    status: int, headers: dict[str, str], body: bytes, count: int
) -> None:
    """It names its status, waits five minutes at most, and never splits what is one already."""
    verdict = judge(status, headers, body, lines=count, now=NOW)

    assert str(status) in verdict.reason
    assert 0 <= verdict.after <= 300
    assert verdict.step is not Step.FEWER or count > 1


class _Nowhere:
    """A writer to nobody."""

    transport = None

    def write(self, _: bytes) -> None:
        pass


pieces = st.lists(
    st.one_of(
        st.binary(max_size=60),
        st.sampled_from([
            b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 12\r\n", b"\r\n", b"\n",
            b"5\r\n", b"hello", b"0\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"X: y\r\n", b"fffffffff\r\n",
        ]),
    ),
    max_size=14,
).map(b"".join)  # fmt: skip


@given(pieces)
def test_whoever_answers_and_whatever_an_answer_ends_or_the_connection_is_broken(answer: bytes) -> None:
    """No bytes make the client wait for ever, or raise what its sender does not expect."""

    async def converse() -> int:
        reader = asyncio.StreamReader(limit=LIMIT)
        reader.feed_data(answer)
        reader.feed_eof()
        connection = Connection(reader, _Nowhere(), PredictionSettings(source="s", key="k"))
        with suppress(OSError):
            await connection.post({}, b"")
            return sum([len(line) async for line in connection.lines()])
        return 0

    assert asyncio.run(converse()) <= len(answer)

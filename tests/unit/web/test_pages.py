"""Pages by a time cursor lose no row, also where many rows are of one instant."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from gateway.web.views import page


@dataclass(frozen=True)
class Row:
    at: int
    number: int


async def read_all(rows: list[Row], *, limit: int) -> list[Row]:
    found: list[Row] = []
    before: int | None = None
    while True:
        left = [row for row in rows if before is None or row.at < before]

        async def fetch(most: int, left: list[Row] = left) -> list[Row]:
            return left[:most]

        part, before = await page(fetch, limit=limit, key="at")
        found += part
        if before is None:
            return found


@given(st.lists(st.integers(0, 5), max_size=60), st.integers(1, 7))
async def test_every_row_is_on_exactly_one_page(times: list[int], limit: int) -> None:
    rows = [Row(at, number) for number, at in enumerate(sorted(times, reverse=True))]
    assert await read_all(rows, limit=limit) == rows


async def test_a_page_is_not_longer_than_asked_where_times_differ() -> None:
    rows = [Row(at, at) for at in range(10, 0, -1)]

    async def fetch(most: int) -> list[Row]:
        return rows[:most]

    assert await page(fetch, limit=3, key="at") == (rows[:3], 8)


async def test_an_instant_that_fills_a_page_is_alone_on_it() -> None:
    rows = [Row(9, number) for number in range(30)] + [Row(8, 30), Row(7, 31)]

    async def fetch(most: int) -> list[Row]:
        return rows[:most]

    assert await page(fetch, limit=3, key="at") == (rows[:30], 9)

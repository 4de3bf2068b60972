"""What every journal promises."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.errors import Code, Refused
from gateway.journal.model import Accepted, Destination, Duplicate, Lane, Refusal, Station
from gateway.journal.reception import Reception
from schemas.envelope import complete, decode
from schemas.errors import Fault
from schemas.receipt import Stage
from tests.journal_drafts import SECOND, START, draft, outcome, receipt

LANE = Lane("signals", "btc/BTC-USDT")
TOPIC = "signals/v1/trade/btc/BTC-USDT"
TWO = (
    Destination(name="signals", topic="signals/v1/trade/btc/BTC-USDT"),
    Destination(name="hummingbot:demo", topic="hbot/demo/external/event/tv", payload=b"{}", once=True),
)


async def accept(journal, *drafts):
    results = await journal.accept(drafts)
    return results[0] if len(results) == 1 else results


async def test_an_accepted_signal_waits_with_its_head_and_its_sequence(journal):
    new = draft()
    accepted = await accept(journal, new)
    [waiting] = await journal.waiting(LANE, after=0, limit=10)
    assert accepted == Accepted(position=accepted.position, draft=new, sequence=START)
    assert (waiting.id, waiting.payload, waiting.sequence) == (new.id, new.head, START)
    assert (waiting.put, waiting.previous, waiting.publishing, waiting.once) == (False, None, False, False)


async def test_a_call_without_drafts_stores_nothing(journal):
    assert await journal.accept([]) == []
    assert await journal.lives() == []


async def test_drafts_of_one_call_keep_their_order_and_get_growing_numbers(journal):
    results = await accept(journal, *[draft() for _ in range(5)])
    assert [r.sequence for r in results] == [START + n for n in range(5)]
    assert [r.position for r in results] == sorted({r.position for r in results})


async def test_concurrent_calls_for_one_key_get_different_growing_numbers(journal):
    drafts = [draft() for _ in range(64)]
    results = await asyncio.gather(*(accept(journal, one) for one in drafts))
    assert sorted(r.sequence for r in results) == [START + n for n in range(64)]
    assert [w.id for w in await journal.waiting(LANE, after=0, limit=100)] == [
        r.draft.id for r in sorted(results, key=lambda r: r.position)
    ]


async def test_sequences_grow_though_the_clock_was_set_back(journal):
    first = await accept(journal, draft(at=START))
    second = await accept(journal, draft(at=START - 3600 * SECOND))
    assert second.sequence == first.sequence + 1
    assert second.position > first.position


async def test_sequences_of_different_keys_do_not_move_each_other(journal):
    await accept(journal, draft(at=START + SECOND))
    other = await accept(journal, draft(instrument="ETH-USDT", at=START))
    assert other.sequence == START


async def test_the_same_idempotency_key_with_the_same_body_is_a_duplicate_for_24_hours(journal):
    first = await accept(journal, draft(key="k", body="a"))
    for hours in (0, 1, 24):
        again = await accept(journal, draft(key="k", body="a", at=START + hours * 3600 * SECOND))
        assert again == Duplicate(of=first.draft.id)
    later = await accept(journal, draft(key="k", body="a", at=START + 24 * 3600 * SECOND + 1))
    assert isinstance(later, Accepted)


async def test_an_idempotency_key_with_another_body_is_refused(journal):
    await accept(journal, draft(key="k", body="a"))
    with pytest.raises(Refused) as caught:
        await accept(journal, draft(key="k", body="b"))
    assert caught.value.code is Code.KEY_REUSED
    assert caught.value.faults[0].where == "idempotency_key"


async def test_sources_do_not_share_idempotency_keys_or_fingerprints(journal):
    for key in ("k", None):
        await accept(journal, draft(key=key, body="a"))
        assert isinstance(await accept(journal, draft(key=key, body="a", source="eth")), Accepted)


async def test_keys_of_their_own_make_equal_bodies_different_signals(journal):
    await accept(journal, draft(key="one", body="a"))
    other = await accept(journal, draft(key="two", body="a"))
    assert isinstance(other, Accepted)
    assert other.possible_duplicate_of is None


async def test_a_refused_draft_takes_its_whole_call_with_it(journal):
    await accept(journal, draft(key="k", body="a"))
    good = draft(instrument="ETH-USDT", key="new", body="c")
    with pytest.raises(Refused) as caught:
        await accept(journal, good, draft(key="k", body="b"))
    assert caught.value.faults[0].where == "[1].idempotency_key"
    assert await journal.life(good.id) is None
    assert isinstance(await accept(journal, draft(key="new", body="d")), Accepted)


async def test_one_key_for_two_bodies_of_one_call_is_refused(journal):
    with pytest.raises(Refused):
        await accept(journal, draft(key="k", body="a"), draft(key="k", body="b"))
    assert await journal.lives() == []


async def test_a_refused_call_does_not_touch_the_calls_beside_it(journal):
    await accept(journal, draft(key="k", body="a"))
    calls = [accept(journal, draft()), accept(journal, draft(key="k", body="b")), accept(journal, draft())]
    before, refused, after = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(before, Accepted)
    assert isinstance(refused, Refused)
    assert after.sequence == before.sequence + 1


@pytest.mark.parametrize("together", [True, False], ids=["one call", "two calls"])
async def test_equal_drafts_that_come_together_are_duplicates_of_each_other(journal, together):
    one, two = draft(body="a"), draft(body="a")
    if together:
        first, second = await accept(journal, one, two)
    else:
        first, second = await asyncio.gather(accept(journal, one), accept(journal, two))
    assert isinstance(first, Accepted)
    assert second == Duplicate(of=one.id)


async def test_a_draft_of_a_call_of_several_is_recognised_when_it_comes_again(journal):
    first, keyed = draft(body="a"), draft(body="b", key="k")
    await accept(journal, first, keyed)
    assert await accept(journal, draft(body="a")) == Duplicate(of=first.id)
    assert await accept(journal, draft(body="b", key="k")) == Duplicate(of=keyed.id)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "marked"),
        (3.9, "marked"),
        (4, "duplicate"),
        (25, "duplicate"),
        (25.1, "marked"),
        (30, "marked"),
        (31, "new"),
    ],
)
async def test_an_equal_body_is_judged_by_its_age(journal, seconds, expected):
    first = await accept(journal, draft(body="a", after=4, until=25))
    second = await accept(journal, draft(body="a", after=4, until=25, at=START + int(seconds * SECOND)))
    if expected == "duplicate":
        assert second == Duplicate(of=first.draft.id)
    else:
        assert second.possible_duplicate_of == (first.draft.id if expected == "marked" else None)


async def test_a_source_that_flags_accepts_every_equal_body_with_a_mark(journal):
    first = await accept(journal, draft(body="a", drop=False))
    for seconds in (1, 10, 29):
        again = await accept(journal, draft(body="a", drop=False, at=START + seconds * SECOND))
        assert again.possible_duplicate_of == first.draft.id


async def test_a_resend_of_a_marked_signal_is_its_duplicate(journal):
    window = {"body": "a", "after": 4, "until": 25}
    await accept(journal, draft(**window))
    marked = await accept(journal, draft(**window, at=START + 28 * SECOND))
    resent = await accept(journal, draft(**window, at=START + 33 * SECOND))
    assert resent == Duplicate(of=marked.draft.id)


async def test_an_equal_body_after_the_clock_was_set_back_has_no_age(journal):
    first = await accept(journal, draft(body="a", key=None))
    again = await accept(journal, draft(body="a", at=START - 3600 * SECOND))
    assert again == Duplicate(of=first.draft.id)


async def test_the_mark_of_a_possible_duplicate_is_in_its_envelope(journal):
    first = await accept(journal, draft(body="a", drop=False))
    second = await accept(journal, draft(body="a", drop=False))
    life = await journal.life(second.draft.id)
    [_, waiting] = await journal.waiting(LANE, after=0, limit=10)
    assert decode(life.envelope).possibleduplicateof == first.draft.id
    assert life.possible_duplicate_of == waiting.possible_duplicate_of == first.draft.id


async def test_waiting_goes_on_behind_a_position_and_stops_at_the_limit(journal):
    positions = [r.position for r in await accept(journal, *[draft() for _ in range(5)])]
    page = await journal.waiting(LANE, after=positions[1], limit=2)
    assert [w.position for w in page] == positions[2:4]


async def test_lanes_are_listed_by_their_oldest_waiting_row(journal):
    btc, _, _ = await accept(journal, draft(), draft(instrument="ETH-USDT"), draft())
    assert await journal.lanes() == [LANE, Lane("signals", "btc/ETH-USDT")]
    await journal.record([outcome(btc.position)])
    assert await journal.lanes() == [Lane("signals", "btc/ETH-USDT"), LANE]


async def test_each_destination_is_a_lane_of_its_own(journal):
    accepted = await accept(journal, draft(destinations=TWO))
    event = Lane("hummingbot:demo", "btc/BTC-USDT")
    assert set(await journal.lanes()) == {LANE, event}
    [waiting] = await journal.waiting(event, after=0, limit=1)
    assert (waiting.payload, waiting.sequence, waiting.once, waiting.topic) == (b"{}", None, True, TWO[1].topic)
    await journal.record([outcome(accepted.position)])
    assert await journal.lanes() == [event]


async def test_a_published_row_waits_no_more_and_moves_the_last_number_of_its_lane(journal):
    first, second = await accept(journal, draft(), draft())
    assert await journal.last_put(LANE) == {}
    await journal.record([outcome(first.position)])
    assert await journal.last_put(LANE) == {TOPIC: first.sequence}
    assert [w.position for w in await journal.waiting(LANE, after=0, limit=9)] == [second.position]
    await journal.record([outcome(second.position, Station.EXPIRED)])
    assert await journal.last_put(LANE) == {TOPIC: first.sequence}


async def test_the_envelope_of_a_life_names_the_number_put_before_it(journal):
    first, second = await accept(journal, draft(), draft())
    await journal.record([outcome(first.position)])
    await journal.record([outcome(second.position, previous=first.sequence)])
    life = await journal.life(second.draft.id)
    assert life.envelope == complete(second.draft.head, sequence=second.sequence, previous=first.sequence)


async def test_a_finished_row_never_changes(journal):
    accepted = await accept(journal, draft())
    await journal.record([outcome(accepted.position, Station.DENIED, reason="not authorized")])
    await journal.record([outcome(accepted.position), outcome(accepted.position, Station.WAITING, reason="again")])
    [delivered] = (await journal.life(accepted.draft.id)).deliveries
    assert (delivered.station, delivered.reason) == (Station.DENIED, "not authorized")
    assert await journal.last_put(LANE) == {}
    assert journal.depth().waiting == 0


async def test_a_begun_once_publish_is_told_apart_until_it_is_finished(journal):
    accepted = await accept(journal, draft(destinations=TWO))
    event = Lane("hummingbot:demo", "btc/BTC-USDT")
    begun = outcome(accepted.position, Station.PUBLISHING, destination="hummingbot:demo")
    await journal.record([begun])
    [waiting] = await journal.waiting(event, after=0, limit=1)
    assert waiting.publishing
    await journal.record([outcome(accepted.position, Station.UNKNOWN, destination="hummingbot:demo")])
    assert await journal.waiting(event, after=0, limit=1) == []


async def test_the_steps_of_one_call_are_taken_in_their_order_up_to_the_final_one(journal):
    accepted = await accept(journal, draft())
    steps = [(Station.PUBLISHING, "begun"), (Station.UNKNOWN, "lost"), (Station.PUBLISHED, "too late")]
    await journal.record([outcome(accepted.position, station, reason=reason) for station, reason in steps])
    [delivered] = (await journal.life(accepted.draft.id)).deliveries
    assert (delivered.station, delivered.reason) == (Station.UNKNOWN, "lost")
    assert journal.depth().waiting == 0
    assert await journal.last_put(LANE) == {}


async def test_a_row_that_was_tried_remembers_what_was_put_before_it(journal):
    accepted = await accept(journal, draft())
    await journal.record([outcome(accepted.position, Station.WAITING, previous=7, attempts=2)])
    await journal.record([outcome(accepted.position, Station.WAITING, attempts=3)])
    [waiting] = await journal.waiting(LANE, after=0, limit=1)
    assert (waiting.put, waiting.previous, waiting.attempts) == (True, 7, 3)


async def test_steps_of_unknown_rows_change_nothing(journal):
    await journal.record([outcome(4711)])
    await journal.record([])
    assert journal.depth().waiting == 0


async def test_depth_counts_unfinished_rows_and_names_the_oldest(journal, clock):
    assert (journal.depth().waiting, journal.depth().oldest) == (0, None)
    first, _ = await accept(journal, draft(at=START, destinations=TWO), draft(at=START + SECOND))
    assert (journal.depth().waiting, journal.depth().oldest) == (3, START)
    both = [outcome(first.position), outcome(first.position, Station.DENIED, destination="hummingbot:demo")]
    await journal.record(both)
    clock.pass_(2)
    assert (journal.depth().waiting, journal.depth().oldest) == (1, START + SECOND)


async def test_a_life_joins_deliveries_and_receipts_in_the_order_of_arrival(journal):
    accepted = await accept(journal, draft(destinations=TWO))
    id_ = accepted.draft.id
    await journal.record([outcome(accepted.position, attempts=3)])
    moment = datetime(2026, 11, 22, 10, 15, 1, 5, UTC)
    whole = receipt(id_, reason="é", duration_ms=1.5, order_ids=("a", "b"), received_at=moment, started_at=moment)
    bare = receipt(id_, Stage.RECEIVED, handler=None)
    await journal.receive([whole], at=START + 9)
    await journal.receive([bare], at=START + 5)
    life = await journal.life(id_)
    assert life.receipts == ((START + 9, whole), (START + 5, bare))
    assert [(d.destination, d.station, d.attempts) for d in life.deliveries] == [
        ("hummingbot:demo", Station.WAITING, 0),
        ("signals", Station.RECEIPTED, 3),
    ]
    assert (life.source, life.body, life.mode, life.instrument, life.effect) == (
        "btc",
        "trade",
        "live",
        "BTC-USDT",
        "open",
    )


async def test_a_receipt_that_comes_twice_changes_nothing(journal):
    id_ = (await accept(journal, draft())).draft.id
    first = receipt(id_, reason="first")
    await journal.receive([first, first], at=START)
    await journal.receive([receipt(id_, reason="second")], at=START + 1)
    assert (await journal.life(id_)).receipts == ((START, first),)


async def test_a_receipt_that_the_contract_allows_is_stored_however_strange(journal):
    id_ = (await accept(journal, draft())).draft.id
    strange = receipt(id_, handler="\0\n", reason="\U0010ffff", duration_ms=2**80, order_ids=("'", ""))
    await journal.receive([receipt(id_, Stage.STARTED), strange], at=START)
    assert [stored for _, stored in (await journal.life(id_)).receipts] == [receipt(id_, Stage.STARTED), strange]


async def test_a_receipt_of_an_unknown_signal_changes_nothing(journal):
    assert await journal.receive([receipt("nobody"), receipt("\ud800")], at=START) == Reception(unknown=2)
    assert await journal.receive([], at=START) == Reception()
    assert await journal.life("nobody") is None


async def test_only_so_many_receipts_of_one_bot_are_kept_for_one_signal_however_they_come(journal):
    one, other = await accept(journal, draft(), draft())
    many = [receipt(one.draft.id, handler=f"h{n}") for n in range(80)]
    assert await journal.receive(many[:40], at=START) == Reception()
    assert await journal.receive(many, at=START) == Reception(surplus=16)
    more = [receipt(one.draft.id, bot="another"), receipt(other.draft.id), many[0]]
    assert await journal.receive(more, at=START) == Reception()
    kept = [stored for _, stored in (await journal.life(one.draft.id)).receipts]
    assert kept == [*many[:64], more[0]]


async def test_lives_come_newest_first_page_by_page(journal):
    ids = [(await accept(journal, draft(at=START + n))).draft.id for n in range(7)]
    first = await journal.lives(limit=3)
    second = await journal.lives(limit=3, before=first[-1].accepted_at)
    assert [life.id for life in first + second] == ids[:0:-1]


async def test_a_page_of_lives_never_parts_those_of_one_microsecond(journal):
    results = await accept(journal, *[draft() for _ in range(5)])
    older = await accept(journal, draft(at=START - 1))
    page = await journal.lives(limit=2)
    assert [life.id for life in page] == [r.draft.id for r in reversed(results)]
    assert [life.id for life in await journal.lives(before=page[-1].accepted_at)] == [older.draft.id]


async def test_lives_of_one_source_leave_out_the_others(journal):
    mine = await accept(journal, draft())
    await accept(journal, draft(source="eth"))
    assert [life.id for life in await journal.lives(source="btc")] == [mine.draft.id]


async def test_refusals_come_back_newest_first_with_their_faults(journal):
    fault = Fault(where="price", problem="is not a number", found="\ud800", cause="A placeholder.", line=2, column=7)
    kept = [
        Refusal(id=f"r{n}", source=source, at=START + n, code="invalid", faults=(fault,), size=12)
        for n, source in enumerate(["btc", "eth", "btc"])
    ]
    for refusal in kept:
        await journal.refuse(refusal)
    assert await journal.refusals() == kept[::-1]
    assert await journal.refusals(source="btc") == [kept[2], kept[0]]
    assert await journal.refusals(limit=1, before=START + 2) == [kept[1]]


async def test_prune_forgets_finished_signals_past_their_age_with_all_that_hangs_on_them(journal):
    day = 86_400 * SECOND
    old, unfinished, lasting, _ = await accept(journal, draft(), draft(), draft(ttl=31 * 86_400), draft())
    await journal.receive([receipt(old.draft.id)], at=START)
    await journal.record([outcome(old.position), outcome(lasting.position)])
    assert await journal.prune(now=START + 29 * day) == 0
    assert await journal.prune(now=START + 30 * day + 1) == 1
    assert await journal.life(old.draft.id) is None
    assert await journal.life(unfinished.draft.id) is not None
    assert await journal.life(lasting.draft.id) is not None


async def test_positions_and_numbers_go_on_behind_what_was_forgotten(journal):
    last = await accept(journal, draft())
    await journal.record([outcome(last.position)])
    await journal.prune(now=START + 20 * 86_400 * SECOND)
    after = await accept(journal, draft(at=START - SECOND))
    assert after.position > last.position
    assert after.sequence == last.sequence + 1


async def test_numbers_grow_though_their_key_was_forgotten_and_the_clock_set_back(journal):
    late = await accept(journal, draft(at=START + 90 * 86_400 * SECOND))
    await journal.record([outcome(late.position)])
    await journal.prune(now=START + 180 * 86_400 * SECOND)
    again = await accept(journal, draft(at=START))
    assert again.sequence > late.sequence


async def test_a_duplicate_by_key_outlives_the_clock_being_set_back(journal):
    first = await accept(journal, draft(key="k", body="a"))
    assert await accept(journal, draft(key="k", body="a", at=START - 9 * SECOND)) == Duplicate(of=first.draft.id)


async def test_a_journal_that_stores_has_no_trouble(journal):
    assert journal.trouble() is None
    await accept(journal, draft())
    await journal.prune(now=START)
    assert journal.trouble() is None


async def test_what_a_life_holds_is_json(journal):
    accepted = await accept(journal, draft())
    assert json.loads((await journal.life(accepted.draft.id)).envelope)["sequence"] == f"{START:020d}"


async def test_the_newest_of_each_instrument_of_a_source_is_found(journal):
    """Also where another source has the same instrument, or a name that begins alike, or is no word of a topic."""
    await accept(journal, draft(), draft(source="btc0"), draft(source="bt", instrument="c/BTC-USDT"))
    encoded = replace(draft(instrument="BRK.B"), key="btc/BRK%2EB")
    await accept(journal, replace(draft(instrument="A.B"), key="btc/A%2EB"), encoded)
    last = [draft(), draft(instrument="ETH-USDT"), replace(draft(instrument="A.B"), key="btc/A%2EB")]
    await accept(journal, *last)
    last.insert(0, encoded)
    assert [life.id for life in await journal.newest("btc")] == [one.id for one in last]
    assert await journal.newest("other") == []

"""A copy of the journal has all of one moment, and what goes on from it is what nothing can have overtaken."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing

import pytest

from gateway.errors import Misconfigured
from gateway.journal import Destination, KnownBot, Station, database
from gateway.journal.copying import NEWEST, Copied, adopt_copy, check_copy, copy_journal, journal_version
from gateway.journal.tables import MIGRATIONS
from tests.journal_drafts import SECOND, START, draft, outcome, receipt

LATER = START + 10 * SECOND
REASON = "restored"
STOCK = (Destination(name="hummingbot:stock", topic="hbot/stock/external/event", once=True),)


def stations(life):
    return {delivery.destination: (delivery.station, delivery.reason) for delivery in life.deliveries}


async def adopted(opened, tmp_path, *drafts, steps=()):
    """Accept drafts, copy the journal, adopt the copy, and open it: the copy, and what became of it."""
    journal = opened()
    await journal.accept(list(drafts))
    await journal.record(steps)
    copy_journal(tmp_path / "journal.db", tmp_path / "copy.db")
    became = adopt_copy(tmp_path / "copy.db", reason=REASON, now=LATER)
    return opened("copy.db"), became


async def test_a_copy_has_what_was_answered_before_it_while_the_journal_is_open(opened, tmp_path):
    journal = opened()
    one = draft()
    await journal.accept([one])
    copied = copy_journal(tmp_path / "journal.db", tmp_path / "copy.db")
    await journal.accept([draft()])

    assert copied == Copied(version=NEWEST, signals=1, newest=START)
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    copy = opened("copy.db")
    assert await copy.life(one.id) is not None
    assert len(await copy.lives()) == 1


async def test_a_copy_is_one_file(opened, tmp_path):
    journal = opened()
    await journal.accept([draft()])
    copy_journal(tmp_path / "journal.db", tmp_path / "copy.db")

    assert [path.name for path in tmp_path.glob("copy*")] == ["copy.db"]


async def test_a_damaged_journal_is_not_copied_as_if_it_were_whole(opened, tmp_path):
    journal = opened()
    await journal.accept([draft(filler=3000) for _ in range(20)])
    await journal.close()
    path = tmp_path / "journal.db"
    whole = bytearray(path.read_bytes())
    for page in range(3, len(whole) // 4096):
        whole[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(whole)
    with pytest.raises(Misconfigured, match=str(path)):
        copy_journal(path, tmp_path / "copy.db")


def test_a_database_of_another_program_is_no_copy_of_a_journal(tmp_path):
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE trades (id)")
    with pytest.raises(Misconfigured, match="no journal"):
        check_copy(path, of=path)


async def test_the_version_of_a_journal_is_known_without_opening_it(opened, tmp_path):
    assert journal_version(tmp_path / "journal.db") is None
    opened()
    assert journal_version(tmp_path / "journal.db") == NEWEST


async def test_an_exit_that_waited_goes_on(opened, tmp_path):
    leave = draft(effect="reduce", ttl=900)
    copy, became = await adopted(opened, tmp_path, leave)

    assert (became.going_on, became.ended) == (1, 0)
    assert stations(await copy.life(leave.id)) == {"signals": (Station.WAITING, "")}
    assert copy.depth().waiting == 1


async def test_an_entry_that_waited_ends_as_unknown_for_what_came_later_is_not_in_the_copy(opened, tmp_path):
    enter = draft(effect="open", ttl=900)
    copy, became = await adopted(opened, tmp_path, enter)

    assert (became.going_on, became.ended) == (0, 1)
    assert stations(await copy.life(enter.id)) == {"signals": (Station.UNKNOWN, REASON)}
    assert copy.depth().waiting == 0


async def test_what_is_for_a_stock_bot_is_published_once_at_most_also_an_exit(opened, tmp_path):
    leave = draft(effect="reduce", ttl=900, destinations=STOCK)
    copy, became = await adopted(opened, tmp_path, leave)

    assert (became.going_on, became.ended) == (0, 1)
    assert stations(await copy.life(leave.id)) == {"hummingbot:stock": (Station.UNKNOWN, REASON)}


async def test_what_a_bot_had_not_receipted_still_becomes_receipted_when_it_says_so(opened, tmp_path):
    enter = draft(effect="open", ttl=900)
    copy, _ = await adopted(opened, tmp_path, enter, steps=[outcome(1, awaiting=("demo",))])
    assert stations(await copy.life(enter.id)) == {"signals": (Station.UNKNOWN, REASON)}
    await copy.receive([receipt(enter.id)], at=LATER)

    assert stations(await copy.life(enter.id)) == {"signals": (Station.RECEIPTED, "")}
    assert (copy.depth().waiting, copy.depth().awaiting) == (0, 0)


async def test_what_was_settled_stays_as_it_was(opened, tmp_path):
    enter = draft(effect="open")
    copy, became = await adopted(opened, tmp_path, enter, steps=[outcome(1, Station.DENIED, reason="no")])

    assert (became.going_on, became.ended) == (0, 0)
    assert stations(await copy.life(enter.id)) == {"signals": (Station.DENIED, "no")}


async def test_a_number_that_was_used_after_the_copy_is_not_used_again(opened, tmp_path):
    journal = opened()
    await journal.accept([draft()])
    copy_journal(tmp_path / "journal.db", tmp_path / "copy.db")
    [since] = await journal.accept([draft(at=START + SECOND)])
    adopt_copy(tmp_path / "copy.db", reason=REASON, now=LATER)
    [again] = await opened("copy.db").accept([draft(at=LATER)])

    assert again.sequence > since.sequence


async def test_no_prediction_of_a_copy_is_in_force(opened, tmp_path):
    journal = opened()
    await journal.accept([draft(ttl=3600)])
    copy_journal(tmp_path / "journal.db", tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db", isolation_level=None)) as copy:
        copy.execute("UPDATE signals SET body = 'prediction', effect = ''")
    adopt_copy(tmp_path / "copy.db", reason=REASON, now=LATER)

    [life] = await opened("copy.db").lives()
    assert life.expires_at == LATER


async def test_a_withdrawal_goes_on(opened, tmp_path):
    journal = opened()
    await journal.accept([draft(ttl=3600)])
    copy_journal(tmp_path / "journal.db", tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db", isolation_level=None)) as copy:
        copy.execute("UPDATE signals SET body = 'withdraw', effect = ''")
    became = adopt_copy(tmp_path / "copy.db", reason=REASON, now=LATER)

    assert (became.going_on, became.ended) == (1, 0)


async def test_a_copy_of_a_newer_version_is_refused(opened, tmp_path):
    await opened().close()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as newer:
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(Misconfigured, match="newer gateway"):
        adopt_copy(tmp_path / "journal.db", reason=REASON, now=LATER)


async def test_a_journal_of_the_version_before_has_everything_after_the_upgrade(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(database, "MIGRATIONS", MIGRATIONS[:-1])
    old = opened()
    drafts = [draft(ttl=900, effect="reduce", key=f"k{number}", after=3600) for number in range(20)]
    accepted = await old.accept(drafts)
    await old.record([outcome(1, awaiting=("demo",)), outcome(2, awaiting=("demo",))])
    await old.receive([receipt(drafts[0].id)], at=START + SECOND)
    before = {one.id: await old.life(one.id) for one in drafts}
    depth = old.depth()
    await old.close()
    assert journal_version(tmp_path / "journal.db") == NEWEST - 1

    monkeypatch.undo()
    new = opened()

    assert journal_version(tmp_path / "journal.db") == NEWEST
    assert {one.id: await new.life(one.id) for one in drafts} == before
    assert (new.depth().waiting, new.depth().awaiting) == (depth.waiting, depth.awaiting) == (18, 1)
    await new.know([KnownBot(name="demo", filters=("signals/v1/#",))])
    assert [bot.name for bot in await new.known()] == ["demo"]
    [again] = await new.accept([draft(ttl=900)])
    assert again.sequence > accepted[-1].sequence


async def test_a_journal_of_the_first_version_has_everything_after_the_upgrade(opened, tmp_path):
    one = draft(ttl=900, effect="reduce")
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as old:
        for statement in (
            *MIGRATIONS[0],
            "PRAGMA user_version = 1",
            f"PRAGMA application_id = {database.APPLICATION_ID}",
        ):
            old.execute(statement)
        for position, station in enumerate(("waiting", "published", "expired"), start=1):
            old.execute(
                "INSERT INTO signals VALUES (?, ?, ?, 'trade', 'live', ?, 'reduce', ?, ?, ?, ?, NULL, ?)",
                (position, f"id{position}", one.source, one.instrument, START + position, START, one.expires_at,
                 b"f%d" % position, one.head),
            )  # fmt: skip
            old.execute(
                "INSERT INTO outbox (position, destination, lane, source, sequence, weight, once, station, at, topic)"
                " VALUES (?, 'signals', 1, ?, ?, 10, 0, ?, ?, ?)",
                (position, one.source, START + position, station, START, one.destinations[0].topic),
            )
        old.execute("INSERT INTO partitions VALUES (?, ?, ?)", (one.key, START + 3, START))
        old.execute("INSERT INTO lanes VALUES (1, ?, 'signals', NULL)", (one.key,))
    journal = opened()

    lives = [await journal.life(f"id{position}") for position in (1, 2, 3)]
    assert [life.deliveries[0].station for life in lives] == [Station.WAITING, Station.PUBLISHED, Station.EXPIRED]
    assert journal.depth().waiting == 1
    [again] = await journal.accept([draft(at=START)])
    assert again.sequence > START + 3

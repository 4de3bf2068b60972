"""The inbox on the disk: what the next process finds, what it refuses to open, and what a disk that fails does."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from bot_plugin import SettingsError, SqliteInbox
from bot_plugin.inbox import Recovered, Step, forget_at, tables
from bot_plugin.inbox.latest import ROOM
from bot_plugin.inbox.migrations import KIND, MIGRATIONS
from bot_plugin.inbox.tables import TOPICS
from schemas.receipt import Stage
from tests.inbox_stories import HOUR, SECOND, START, Clock, arrival, crash, receipt, tell_arrived


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "demo.inbox.db"


@pytest.fixture
async def inbox(path: Path, clock: Clock) -> AsyncIterator[SqliteInbox]:
    inbox = SqliteInbox(path, room=0, monotonic=clock.monotonic)
    await inbox.open()
    yield inbox
    await inbox.close()


async def reopen(path: Path, clock: Clock | None = None) -> tuple[SqliteInbox, Recovered]:
    clock = clock or Clock()
    inbox = SqliteInbox(path, monotonic=clock.monotonic)
    return inbox, await inbox.open()


async def test_only_its_user_may_read_it(inbox: SqliteInbox, path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


async def test_what_is_stored_is_on_the_disk_while_the_process_lives(
    inbox: SqliteInbox, path: Path, tmp_path: Path
) -> None:
    await tell_arrived(inbox, arrival("seen"), arrival("two", handlers=("one", "two")), arrival("done"))
    inbox.start("two", "one", at=START + 5)
    inbox.finish(receipt("done"))
    await inbox.stored()

    other, left = await reopen(crash(path, into=tmp_path / "after"))

    assert {one.arrival.id: one.steps for one in left.unfinished} == {
        "seen": {"act": Step.SEEN},
        "two": {"one": Step.STARTED, "two": Step.SEEN},
    }
    assert next(one for one in left.unfinished if one.arrival.id == "two").started == {"one": START + 5}
    assert left.owed == (receipt("done"),)
    assert other.receipts("done") == (receipt("done"),)
    assert not other.arrive(arrival("seen"))
    await other.close()


async def test_what_was_about_to_be_called_and_was_not_waits_again(
    inbox: SqliteInbox, path: Path, tmp_path: Path
) -> None:
    inbox.arrive(arrival("a"))
    inbox.start("a", "act", at=START)
    inbox.put_back("a", "act")
    await inbox.stored()

    other, left = await reopen(crash(path, into=tmp_path / "after"))

    assert [(one.steps, one.started) for one in left.unfinished] == [({"act": Step.SEEN}, {})]
    await other.close()


async def test_a_start_now_is_on_the_disk_when_it_returns(inbox: SqliteInbox, path: Path, tmp_path: Path) -> None:
    inbox.arrive(arrival("a"))
    inbox.start_now("a", "act", at=START)

    other, left = await reopen(crash(path, into=tmp_path / "after"))

    assert [one.steps for one in left.unfinished] == [{"act": Step.STARTED}]
    await other.close()


async def test_what_was_seen_and_started_in_one_turn_shares_a_commit(inbox: SqliteInbox) -> None:
    commits = count_commits(inbox)
    inbox.arrive(arrival("a"))
    acknowledged = asyncio.ensure_future(inbox.stored())
    await asyncio.sleep(0)
    inbox.start("a", "act", at=START)
    await inbox.stored()
    await acknowledged

    assert commits == [1]


async def test_a_hundred_calls_share_two_commits_at_most(inbox: SqliteInbox) -> None:
    commits = count_commits(inbox)

    async def one(number: int) -> None:
        inbox.arrive(arrival(f"a{number}"))
        await inbox.stored()

    await asyncio.gather(*map(one, range(100)))

    assert len(commits) <= 2


def count_commits(inbox: SqliteInbox) -> list[int]:
    commits: list[int] = []
    commit = inbox._commits._database.commit
    inbox._commits._database.commit = lambda: (commits.append(1), commit())[1]
    return commits


async def test_the_payload_is_dropped_when_every_handler_is_done(inbox: SqliteInbox, path: Path) -> None:
    await tell_arrived(inbox, arrival("a", handlers=("one", "two")))

    async def payload_after(handler: str) -> object:
        inbox.finish(receipt("a", handler=handler))
        await inbox.stored()
        with closing(sqlite3.connect(path)) as database:
            return database.execute("SELECT payload FROM signals").fetchone()[0]

    assert [await payload_after("one"), await payload_after("two")] == [b"{}", None]


async def test_done_stays_done_whatever_comes_after(inbox: SqliteInbox, path: Path, tmp_path: Path) -> None:
    await tell_arrived(inbox, arrival("a"))
    inbox.finish(receipt("a", Stage.EXPIRED))
    inbox.start("a", "act", at=START)
    await inbox.stored()

    other, left = await reopen(crash(path, into=tmp_path / "after"))

    assert left.unfinished == ()
    await other.close()


async def test_the_end_of_a_signal_as_a_whole_ends_it_in_every_handler(inbox: SqliteInbox, path: Path) -> None:
    inbox.arrive(arrival("a", handlers=("one", "two")))
    inbox.finish(receipt("a", Stage.OUT_OF_ORDER, handler=None))
    await inbox.close()

    left = await SqliteInbox(path).open()

    assert left.unfinished == ()
    assert [owed.stage for owed in left.owed] == [Stage.OUT_OF_ORDER]


async def test_confirmed_receipts_are_not_owed(inbox: SqliteInbox, path: Path, tmp_path: Path) -> None:
    await tell_arrived(inbox, arrival("a"), arrival("b"))
    for id_ in "ab":
        inbox.finish(receipt(id_))
    inbox.confirm([receipt("a"), receipt("b", Stage.STARTED)])
    await inbox.stored()

    other, left = await reopen(crash(path, into=tmp_path / "after"))

    assert left.owed == (receipt("b"),)
    await other.close()


async def test_what_is_unfinished_comes_in_the_order_of_its_sequence(inbox: SqliteInbox, path: Path) -> None:
    await tell_arrived(inbox, *(arrival(f"s{number}", sequence=number) for number in (3, 1, 2)))
    await inbox.close()

    other, left = await reopen(path)

    assert [one.arrival.id for one in left.unfinished] == ["s1", "s2", "s3"]
    await other.close()


async def test_the_highest_sequence_of_each_topic_that_was_released_is_known(
    inbox: SqliteInbox, path: Path, clock: Clock
) -> None:
    released = [arrival(f"r{number}", topic="t", sequence=number) for number in (7, 9)]
    refused = arrival("refused", topic="u", sequence=3, handlers=())
    await tell_arrived(inbox, *released, refused, arrival("waits", topic="t", sequence=10))
    inbox.finish(receipt("refused", Stage.REFUSED, handler=None))
    inbox.start("r7", "act", at=START)
    inbox.finish(receipt("r9", Stage.EXPIRED))
    await inbox.close()

    other, left = await reopen(path, clock)
    assert left.sequences == {"t": 9, "u": 3}
    clock.pass_(2 * HOUR)
    assert other.prune() == 4
    await other.close()

    last, left = await reopen(path, clock)
    assert left.sequences == {"t": 10, "u": 3}
    await last.close()


async def test_sequences_of_topics_are_kept_for_a_week_after_the_last(
    inbox: SqliteInbox, path: Path, clock: Clock
) -> None:
    for days, topic in ((0, "old"), (8, "new")):
        clock.pass_(days * 24 * HOUR)
        await tell_arrived(inbox, arrival(topic, topic=topic, sequence=5, at=clock.now()))
        clock.pass_(2 * HOUR)
        inbox.prune()
    await inbox.close()

    other, left = await reopen(path, clock)

    assert left.sequences == {"new": 5}
    assert TOPICS == 10_000
    await other.close()


async def test_a_sequence_beyond_what_sqlite_counts_is_stored_as_the_greatest(inbox: SqliteInbox) -> None:
    await tell_arrived(inbox, arrival("a", sequence=10**20 - 1))


async def test_what_an_earlier_process_left_is_kept_for_as_long_as_it_was_to_be(inbox: SqliteInbox, path: Path) -> None:
    await tell_arrived(inbox, arrival("a", keep=3 * HOUR))
    await inbox.close()
    clock = Clock()
    other, _ = await reopen(path, clock)

    clock.pass_(3 * HOUR - 1)
    assert other.prune() == 0
    clock.pass_(1)
    assert other.prune() == 1
    await other.close()


@pytest.mark.parametrize("crashes", [False, True])
async def test_bots_that_never_run_for_long_forget_all_the_same(path: Path, tmp_path: Path, *, crashes: bool) -> None:
    for run in range(200):
        clock = Clock()
        inbox, _ = await reopen(path, clock)
        clock.pass_(50 * SECOND)
        inbox.prune()
        if inbox.arrive(arrival("a", keep=HOUR)) and run:
            await inbox.close()
            return
        inbox.arrive(arrival(keep=HOUR))
        await inbox.stored()
        left = crash(path, into=tmp_path / str(run)) if crashes else path
        await inbox.close()
        path = left
    pytest.fail("it was kept for 200 runs of 50 s")


async def test_a_bot_that_is_never_idle_forgets_topics_too(
    inbox: SqliteInbox, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "TOPICS", 3)
    for number in range(10):
        one = arrival(f"s{number}", topic=f"t{number}")
        await tell_arrived(inbox, one)
        inbox.finish(receipt(one.id))
        clock.pass_(30 * SECOND)
        inbox.prune()
    await inbox.close()

    other, left = await reopen(path, clock)

    assert set(left.sequences) == {"t7", "t8", "t9"}
    await other.close()


async def test_bots_without_signals_that_never_run_for_long_forget_all_the_same(path: Path) -> None:
    inbox, _ = await reopen(path)
    inbox.arrive(arrival("a", keep=HOUR))
    await inbox.close()
    for _ in range(100):
        clock = Clock()
        inbox, _ = await reopen(path, clock)
        clock.pass_(50 * SECOND)
        inbox.prune()
        await inbox.close()

    assert len(inbox) == 0


@pytest.mark.parametrize(
    ("expires", "kept"),
    [(60 * SECOND, HOUR + 60 * SECOND), (-30 * 24 * HOUR, HOUR), (20_000 * 24 * HOUR, 32 * 24 * HOUR)],
)
def test_an_id_is_kept_for_an_hour_at_least_and_32_days_at_most_whatever_the_clock_says(
    expires: int, kept: int
) -> None:
    assert forget_at(START + expires, now=START) - START == kept


async def test_a_clock_that_is_far_ahead_makes_it_forget_no_topic(inbox: SqliteInbox, path: Path, clock: Clock) -> None:
    ahead = arrival("ahead", topic="u", sequence=3, at=START + 30 * 24 * HOUR)
    await tell_arrived(inbox, ahead, arrival("a", sequence=4))
    for id_ in ("ahead", "a"):
        inbox.finish(receipt(id_))
    clock.pass_(2 * HOUR)
    inbox.prune()
    await inbox.close()

    other, left = await reopen(path, clock)

    assert left.sequences == {"u": 3, "t": 4}
    await other.close()


async def test_of_many_owed_receipts_a_start_takes_up_the_newest(
    inbox: SqliteInbox, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "OWED", 2)
    for id_ in "bac":
        inbox.arrive(arrival(id_))
        inbox.finish(receipt(id_))
    await inbox.close()

    other, left = await reopen(path)

    assert [owed.signal for owed in left.owed] == ["b", "c"]
    await other.close()


async def test_a_receipt_on_the_disk_that_cannot_be_read_names_the_file(inbox: SqliteInbox, path: Path) -> None:
    await tell_arrived(inbox, arrival("a"))
    inbox.finish(receipt("a"))
    inbox.confirm([receipt("a")])
    await inbox.close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE runs SET receipt = 'torn'")
        database.commit()
    other, _ = await reopen(path)

    with pytest.raises(OSError, match=r"demo\.inbox\.db cannot be read: .*Move the file away"):
        other.arrive(arrival("a"))
    await other.close()


async def test_what_is_forgotten_is_gone_from_the_disk(inbox: SqliteInbox, path: Path, clock: Clock) -> None:
    await tell_arrived(inbox, arrival("a"), arrival("b", keep=3 * HOUR))
    clock.pass_(2 * HOUR)
    inbox.prune()
    await inbox.close()

    other, left = await reopen(path, clock)

    assert [one.arrival.id for one in left.unfinished] == ["b"]
    assert len(other) == 1
    await other.close()


async def test_only_the_latest_ids_are_in_memory_and_all_are_known(inbox: SqliteInbox) -> None:
    for number in range(ROOM + 50):
        inbox.arrive(arrival(f"s{number}"))
        inbox.finish(receipt(f"s{number}"))
    await inbox.stored()
    inbox.arrive(arrival("last"))

    assert len(inbox._latest) == ROOM
    assert len(inbox) == ROOM + 51
    assert not inbox.arrive(arrival("s0"))
    assert inbox.receipts("s0") == (receipt("s0"),)


async def test_what_the_disk_does_not_have_stays_in_memory_however_much_it_is(inbox: SqliteInbox) -> None:
    for number in range(ROOM + 50):
        inbox.arrive(arrival(f"s{number}"))

    assert len(inbox._latest) == ROOM + 50
    assert not inbox.arrive(arrival("s0"))


async def test_restarts_do_not_keep_ids_for_ever(path: Path) -> None:
    for _ in range(4):
        clock = Clock()
        inbox, _ = await reopen(path, clock)
        inbox.arrive(arrival("a", keep=2 * HOUR))
        clock.pass_(HOUR)
        inbox.prune()
        await inbox.close()
        if len(inbox) == 0:
            return
    pytest.fail("it was kept for four hours of processes")


async def test_an_inbox_of_the_first_version_keeps_what_it_knows(path: Path, clock: Clock) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as database:
        for statement in (*MIGRATIONS[0], f"PRAGMA application_id = {KIND.application_id}", "PRAGMA user_version = 1"):
            database.execute(statement)
        database.execute("INSERT INTO topics VALUES ('old', 7, ?)", (START,))
        for id_, sequence in (("done", 3), ("seen", 4)):
            times = (START, START + 2 * HOUR)
            database.execute("INSERT INTO signals VALUES (?, 't', ?, ?, ?, ?)", (id_, sequence, b"{}", *times))
            database.execute("INSERT INTO runs (signal, handler, step) VALUES (?, 'act', ?)", (id_, id_))
        database.commit()

    inbox, left = await reopen(path, clock)

    assert left.sequences == {"old": 7, "t": 3}
    assert [one.steps for one in left.unfinished] == [{"act": Step.DONE}, {"act": Step.SEEN}]
    clock.pass_(2 * HOUR - 1)
    assert inbox.prune() == 0
    clock.pass_(1)
    assert inbox.prune() == 2
    clock.pass_(8 * 24 * HOUR)
    inbox.prune()
    await inbox.close()
    last, left = await reopen(path, clock)
    assert left.sequences == {}
    await last.close()


async def test_commits_write_over_what_its_files_have_from_the_start(path: Path, clock: Clock) -> None:
    inbox = SqliteInbox(path, room=1_000_000)
    await inbox.open()
    log = path.with_name(f"{path.name}-wal")
    before = log.stat().st_size
    for _ in range(20):
        await tell_arrived(inbox, arrival())

    assert log.stat().st_size == before > 1_000_000
    await inbox.close()


async def refusal(path: Path) -> str:
    with pytest.raises(SettingsError) as raised:
        await SqliteInbox(path).open()
    return str(raised.value)


async def test_a_folder_that_cannot_be_made_is_named_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    said = await refusal(tmp_path / "file" / "inbox.db")

    assert f"{tmp_path}/file/inbox.db cannot be written" in said
    assert "name another folder as state_dir" in said


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    path.write_text("my notes\n" * 200)

    said = await refusal(path)

    assert f"{path} cannot be read: file is not a database. Move the file away" in said
    assert path.read_text() == "my notes\n" * 200


async def test_a_database_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE theirs (a)")

    assert f"{path} is a database, but no bot's inbox; name another folder" in await refusal(path)


async def test_an_inbox_of_a_newer_plugin_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE newer (a)")
        database.execute(f"PRAGMA application_id = {KIND.application_id}")
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")

    assert f"{path} has version {len(MIGRATIONS) + 1}" in await refusal(path)


async def test_a_damaged_inbox_says_what_to_do(inbox: SqliteInbox, path: Path) -> None:
    await tell_arrived(inbox, *(arrival(f"{number:036}") for number in range(200)))
    await inbox.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))

    assert "Move the file away and start without it" in await refusal(path)


async def full(inbox: SqliteInbox) -> None:
    inbox._commits._database._database.execute("PRAGMA max_page_count = 1")


async def removed(inbox: SqliteInbox) -> None:
    for file in inbox._path.parent.iterdir():
        file.unlink()


async def replaced(inbox: SqliteInbox) -> None:
    inbox._path.rename(inbox._path.with_name("away"))
    inbox._path.touch()


async def read_only(inbox: SqliteInbox) -> None:
    inbox._commits._database._database.execute("PRAGMA query_only = 1")


@pytest.mark.parametrize("fail", [full, removed, replaced, read_only])
async def test_a_disk_that_fails_ends_the_inbox_and_says_so(inbox: SqliteInbox, path: Path, fail) -> None:
    await tell_arrived(inbox, arrival("before"))
    await fail(inbox)
    told: list[OSError | None] = []
    for number in range(100):
        inbox.arrive(arrival(f"{number:040}"))
    inbox.when_stored(told.append)

    with pytest.raises(OSError, match=r"demo\.inbox\.db cannot be written: .*Make room on its disk"):
        await inbox.stored()

    assert isinstance(told[0], OSError)
    with pytest.raises(OSError, match="cannot be written"):
        inbox.arrive(arrival("after"))
    with pytest.raises(OSError, match="cannot be written"):
        inbox.start_now("before", "act", at=START)
    with pytest.raises(OSError, match="cannot be written"):
        await inbox.stored()


async def test_a_start_that_the_disk_refuses_raises_where_it_was_made(inbox: SqliteInbox) -> None:
    await tell_arrived(inbox, arrival("a"))
    await read_only(inbox)

    with pytest.raises(OSError, match="cannot be written"):
        await asyncio.to_thread(inbox.start_now, "a", "act", at=START)


async def test_nothing_is_told_to_an_inbox_that_is_closed(inbox: SqliteInbox) -> None:
    await inbox.close()
    with pytest.raises(OSError, match="closed"):
        inbox.arrive(arrival("a"))


async def test_the_ids_of_a_process_that_was_killed_are_kept_for_their_time(
    inbox: SqliteInbox, path: Path, tmp_path: Path, clock: Clock
) -> None:
    await tell_arrived(inbox, arrival("a", keep=2 * HOUR))
    clock.pass_(90 * 60 * SECOND)
    other, _ = await reopen(crash(path, into=tmp_path / "after"), clock)
    clock.pass_(59 * 60 * SECOND)

    assert other.prune() == 0
    await other.close()


async def test_the_newest_prediction_of_each_topic_and_series_is_kept_until_it_is_past(
    inbox: SqliteInbox, clock: Clock, path: Path, tmp_path: Path
) -> None:
    """An older one that comes later changes nothing, and neither does a crash; an hour past its expiry it is gone."""
    for series, id_, sequence in (("a", "a2", 2), ("a", "a1", 1), ("b", "b1", 1), ("b", "b3", 3)):
        await tell_arrived(inbox, arrival(id_, handlers=(), sequence=sequence, series=series))
    other, left = await reopen(crash(path, into=tmp_path / "after"), clock)
    assert [(one.id, one.sequence) for one in left.predictions] == [("a2", 2), ("b3", 3)]
    assert left.predictions[0] == arrival("a2", handlers=(), sequence=2, series="a")
    assert left.unfinished == ()
    clock.pass_(3 * HOUR)
    other.prune()
    await other.close()

    third, left = await reopen(tmp_path / "after" / path.name, clock)
    assert left.predictions == ()
    await third.close()


async def test_what_ends_a_prediction_is_kept_with_it(inbox: SqliteInbox, clock: Clock, path: Path) -> None:
    """A withdrawal that comes when it had run, and what kept it from counting as it came."""
    await tell_arrived(
        inbox,
        arrival("a1", sequence=1, series="a"),
        arrival("b1", sequence=2, series="b", ended="refused"),
        arrival("c1", sequence=3, series="c"),
    )
    inbox.finish(receipt("a1"))
    assert not inbox.withdraw(receipt("a1", Stage.WITHDRAWN, handler=None), forget_at=START + HOUR)
    await inbox.close()

    other, left = await reopen(path, clock)
    ended = {one.id: one.ended for one in left.predictions}
    assert ended == {"a1": "the prediction was withdrawn", "b1": "refused", "c1": None}
    await other.close()

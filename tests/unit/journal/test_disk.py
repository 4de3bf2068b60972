"""A disk that refuses: nothing that was answered is lost, and the journal works again by itself."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing

import pytest

from gateway.errors import NotStored
from gateway.journal import Accepted, Refusal
from tests.journal_drafts import START, draft, outcome, receipt

CHILD = """
import asyncio, itertools, json, resource, sys, time
from gateway.errors import NotStored
from gateway.journal import JournalSettings, open_journal
from tests.journal_drafts import START, SECOND, draft

clock = lambda: time.time_ns() // 1000
say = lambda *words: print(*words, flush=True)
"""


def child(script, path):
    return subprocess.Popen(
        [sys.executable, "-c", CHILD + textwrap.dedent(script), str(path)], stdout=subprocess.PIPE, text=True
    )


def intact(path):
    with closing(sqlite3.connect(path)) as database:
        return database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_everything_accepted_before_a_kill_is_there_after_it(opened, tmp_path):
    process = child(
        """
        async def accept(journal, task):
            for number in itertools.count():
                [accepted] = await journal.accept([draft(id_=f"{task}-{number}", source=f"s{task}", at=clock())])
                say(accepted.draft.id, accepted.sequence)

        async def main():
            journal = open_journal(JournalSettings(path=sys.argv[1]), clock=clock)
            await asyncio.gather(*(accept(journal, task) for task in range(8)))

        asyncio.run(main())
        """,
        tmp_path / "journal.db",
    )
    lines = [process.stdout.readline() for _ in range(2000)]
    process.send_signal(signal.SIGKILL)
    lines += process.communicate()[0].splitlines(keepends=True)
    answered = dict(line.split() for line in lines if line.endswith("\n"))
    journal = opened()
    for id_, sequence in answered.items():
        life = await journal.life(id_)
        assert json.loads(life.envelope)["sequence"] == f"{int(sequence):020d}"
    assert len(answered) >= 2000
    assert journal.depth().waiting >= len(answered)
    await journal.close()
    assert intact(tmp_path / "journal.db")


async def test_a_full_disk_is_told_to_the_sender_and_the_journal_goes_on_when_there_is_room(opened, tmp_path):
    process = child(
        """
        async def main():
            journal = open_journal(JournalSettings(path=sys.argv[1]), clock=clock)
            limit, unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, unlimited))
            try:
                while True:
                    calls = [journal.accept([draft(at=clock(), filler=2000)]) for _ in range(8)]
                    for result in await asyncio.gather(*calls):
                        say("accepted", result[0].draft.id)
            except NotStored as error:
                say("refused", error.cause, sys.argv[1] in error.problem)
            say("depth", journal.depth().waiting)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, unlimited))
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                try:
                    [accepted] = await journal.accept([draft(at=clock())])
                    say("accepted", accepted.draft.id)
                    break
                except NotStored:
                    await asyncio.sleep(0.05)
            await journal.close()

        asyncio.run(main())
        """,
        tmp_path / "journal.db",
    )
    output, _ = process.communicate(timeout=60)
    lines = [line.split() for line in output.splitlines()]
    assert process.returncode == 0
    assert lines[-3] == ["refused", "disk", "True"]
    assert lines[-1][0] == "accepted"
    ids = [line[1] for line in lines if line[0] == "accepted"]
    assert int(lines[-2][1]) == len(ids) - 1 > 50
    journal = opened()
    assert {life.id for life in await journal.lives(limit=10_000)} == set(ids)


async def test_a_full_database_refuses_every_call_of_the_batch_and_forgets_none_of_the_others(opened):
    journal = opened()
    [before] = await journal.accept([draft()])
    database = journal._writer._open
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {pages}")
    calls = [journal.accept([draft(filler=20_000)]) for _ in range(4)]
    results = await asyncio.gather(*calls, journal.record([outcome(before.position)]), return_exceptions=True)
    assert [result.cause for result in results] == ["disk"] * 5
    assert journal.depth().waiting == 1
    assert [life.id for life in await journal.lives()] == [before.draft.id]
    database.execute("PRAGMA max_page_count = 1000000")
    [after] = await journal.accept([draft(filler=20_000)])
    assert (after.position, after.sequence) == (before.position + 1, before.sequence + 1)


async def test_a_commit_that_failed_is_a_trouble_until_one_writes_again(opened, tmp_path):
    journal = opened()
    await journal.accept([draft(body="a")])
    database = journal._writer._open
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(NotStored) as caught:
        await journal.accept([draft(filler=20_000)])
    assert journal.trouble() == caught.value.problem
    assert str(tmp_path) in journal.trouble()
    await journal.accept([draft(body="a")])  # a duplicate writes nothing, and so proves nothing
    assert journal.trouble() is not None
    database.execute("PRAGMA max_page_count = 1000000")
    await journal.accept([draft(filler=20_000)])
    assert journal.trouble() is None


async def test_pruning_finds_out_that_the_disk_refuses_and_that_it_works_again(opened, clock):
    journal = opened()
    journal._writer._open.execute("PRAGMA query_only = 1")
    with pytest.raises(NotStored):
        await journal.prune(now=clock())
    assert journal.trouble() is not None
    clock.pass_(1)
    await journal.prune(now=clock())
    assert journal.trouble() is None


async def test_a_body_that_was_not_stored_is_no_duplicate_when_it_comes_again(opened):
    journal = opened()
    database = journal._writer._open
    database.execute("PRAGMA query_only = 1")
    with pytest.raises(NotStored):
        await journal.accept([draft(body="a")])
    again = journal._clock
    again.pass_(5)
    [accepted] = await journal.accept([draft(body="a", at=again())])
    assert isinstance(accepted, Accepted)
    assert accepted.possible_duplicate_of is None


async def test_a_read_only_file_refuses_every_kind_of_call_and_is_opened_again(opened, clock):
    journal = opened()
    [before] = await journal.accept([draft()])
    refusal = Refusal(id="r", source="btc", at=START, code="invalid", faults=(), size=1)
    for call in (
        lambda: journal.accept([draft()]),
        lambda: journal.refuse(refusal),
        lambda: journal.record([outcome(before.position)]),
        lambda: journal.receive([receipt(before.draft.id)], at=START),
    ):
        journal._writer._database().execute("PRAGMA query_only = 1")
        with pytest.raises(NotStored) as caught:
            await call()
        assert caught.value.cause == "disk"
        clock.pass_(1)
    assert (await journal.life(before.draft.id)).receipts == ()
    assert isinstance((await journal.accept([draft(at=clock())]))[0], Accepted)


async def test_a_file_that_went_away_is_not_made_anew_under_the_answers(opened, tmp_path, clock):
    journal = opened()
    await journal.accept([draft()])
    journal._writer._open.execute("PRAGMA query_only = 1")
    with pytest.raises(NotStored):
        await journal.accept([draft()])
    moved = tmp_path / "elsewhere.db"
    (tmp_path / "journal.db").rename(moved)
    clock.pass_(1)
    with pytest.raises(NotStored):
        await journal.accept([draft()])
    with pytest.raises(NotStored):
        await journal.lives()
    moved.rename(tmp_path / "journal.db")
    clock.pass_(1)
    await journal.accept([draft()])
    assert len(await journal.lives()) == 2


async def test_an_id_that_is_there_already_fails_its_own_call_alone(opened):
    journal = opened()
    [first] = await journal.accept([draft()])
    calls = [journal.accept([one]) for one in (draft(), draft(id_=first.draft.id), draft())]
    before, clash, after = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(clash, sqlite3.IntegrityError)
    assert after[0].sequence == before[0].sequence + 1
    assert len(await journal.lives()) == 3


async def test_a_lone_surrogate_in_a_receipt_does_not_lose_it(opened):
    journal = opened()
    [accepted] = await journal.accept([draft()])
    await journal.receive([receipt(accepted.draft.id, reason="bad \ud800 text")], at=START)
    [(_, stored)] = (await journal.life(accepted.draft.id)).receipts
    assert stored.reason == "bad ? text"

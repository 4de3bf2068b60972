"""Any story of accepts, steps, receipts, prunes, clocks and crashes, told to the journal and to a simple model."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.errors import Refused
from gateway.journal import Accepted, Duplicate, JournalSettings, Station, open_journal
from schemas.receipt import Stage
from tests.journal_drafts import SECOND, START, Clock, draft, outcome, receipt

WINDOWS = [(0.0, 30.0), (4.0, 25.0)]
MAX_AGE = 3600


class JournalMachine(RuleBasedStateMachine):
    """The model: what was answered, by id; what is final; what receipts were stored."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="journal-"))
        self.generation = 0
        self.clock = Clock()
        self.journal = None
        self.accepted: dict[str, Accepted] = {}
        self.stations: dict[str, Station] = {}
        self.receipts: dict[str, list] = {}
        self.awaiting: dict[str, tuple[str, ...]] = {}
        self.sequences: dict[str, int] = {}
        self.latest = START
        self.loop = asyncio.new_event_loop()

    def run(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    @initialize()
    def open(self):
        path = self.folder / f"{self.generation}.db"
        self.journal = open_journal(JournalSettings(path=str(path), max_age=MAX_AGE), clock=self.clock)

    def teardown(self):
        if self.journal is not None:
            self.run(self.journal.close())
        self.loop.close()
        shutil.rmtree(self.folder)

    @rule(seconds=st.sampled_from([0.5, 3, 5, 26, 31, 90, 5000, 90_000]), back=st.booleans())
    def the_clock_moves(self, seconds, back):
        self.clock.pass_(-seconds if back else seconds)
        self.latest = max(self.latest, self.clock())

    @rule(
        calls=st.lists(
            st.lists(
                st.tuples(
                    st.sampled_from(["btc", "eth"]),
                    st.sampled_from(["A", "B"]),
                    st.sampled_from("xyz"),
                    st.sampled_from([None, None, "k1", "k2"]),
                    st.sampled_from(WINDOWS),
                    st.booleans(),
                ),
                min_size=1,
                max_size=3,
            ),
            min_size=1,
            max_size=4,
        )
    )
    def signals_come(self, calls):
        made = [[self.make(values) for values in call] for call in calls]
        results = self.run(self.gather(self.journal.accept(drafts) for drafts in made))
        for drafts, result in zip(made, results, strict=True):
            self.check(drafts, result)

    async def gather(self, coroutines):
        return await asyncio.gather(*coroutines, return_exceptions=True)

    def make(self, drawn):
        source, instrument, body, key, (after, until), drop = drawn
        values = {"source": source, "instrument": instrument, "body": body, "key": key}
        return draft(**values, after=after, until=until, drop=drop, at=self.clock(), ttl=20)

    def check(self, drafts, result):
        if isinstance(result, Refused):
            self.check_refused(drafts)
            return
        assert isinstance(result, list), result
        for one, answer in zip(drafts, result, strict=True):
            if isinstance(answer, Duplicate):
                self.check_duplicate(one, answer)
            else:
                self.check_accepted(one, answer)

    def equals(self, one, *, keyed):
        """What was accepted before of the same identity, with its age."""
        for other in self.accepted.values():
            mine, its = one.identity, other.draft.identity
            same = mine.key == its.key if keyed else its.key is None and mine.fingerprint == its.fingerprint
            if same and other.draft.source == one.source:
                yield other, max(0, one.accepted_at - other.draft.accepted_at)

    def check_refused(self, drafts):
        bodies = {}
        clashes = 0
        for one in drafts:
            key, body = (one.source, one.identity.key), one.identity.fingerprint
            if one.identity.key is not None:
                clashes += any(other.draft.identity.fingerprint != body for other, _ in self.equals(one, keyed=True))
                clashes += bodies.setdefault(key, body) != body
        assert clashes

    def check_duplicate(self, one, answer):
        original = self.accepted[answer.of].draft
        assert original.source == one.source
        assert original.identity.fingerprint == one.identity.fingerprint
        age = max(0, one.accepted_at - original.accepted_at)
        if one.identity.key is not None:
            assert original.identity.key == one.identity.key
            assert age <= 86_400 * SECOND
        else:
            assert one.identity.drop
            assert one.identity.duplicate_after <= age <= one.identity.duplicate_until

    def check_accepted(self, one, answer):
        assert answer.draft == one
        self.check_new(one, answer)
        assert answer.sequence >= one.accepted_at
        assert answer.sequence > self.sequences.get(one.key, 0)
        assert all(answer.position > other.position for other in self.accepted.values())
        self.sequences[one.key] = answer.sequence
        self.accepted[one.id] = answer
        self.stations[one.id] = Station.WAITING
        self.receipts[one.id] = []
        self.awaiting[one.id] = ()

    def check_new(self, one, answer):
        """What the clock has not left behind must have been recognised."""
        if one.identity.key is not None:
            assert answer.possible_duplicate_of is None
            assert all(age > 86_400 * SECOND or self.forgettable(other) for other, age in self.equals(one, keyed=True))
            return
        equals = [(other, age) for other, age in self.equals(one, keyed=False) if age <= 30 * SECOND]
        latest = equals[-1:] if equals and not self.left_behind(equals[-1][0]) else []
        if latest:
            assert answer.possible_duplicate_of is not None
            (_, age), identity = latest[0], one.identity
            assert not (identity.drop and identity.duplicate_after <= age <= identity.duplicate_until)
        if answer.possible_duplicate_of is not None:
            assert answer.possible_duplicate_of in {other.draft.id for other, _ in equals}

    def left_behind(self, other):
        """Whether the clock was once so far ahead that the signal needed not be remembered any more."""
        return self.latest - other.draft.accepted_at > 30 * SECOND

    def forgettable(self, other):
        return self.latest - other.draft.accepted_at > 86_400 * SECOND

    def settled(self, id_):
        return self.stations[id_].final and not (self.stations[id_] is Station.PUBLISHED and self.awaiting[id_])

    @precondition(lambda self: self.stations)
    @rule(data=st.data(), station=st.sampled_from(Station), bots=st.sampled_from([(), ("demo",), ("demo", "two")]))
    def a_row_takes_a_step(self, data, station, bots):
        id_ = data.draw(st.sampled_from(sorted(self.stations)))
        bots = bots if station is Station.PUBLISHED else ()
        step = outcome(self.accepted[id_].position, station, at=self.clock(), awaiting=bots)
        self.run(self.journal.record([step]))
        published = self.stations[id_] is Station.PUBLISHED
        if not self.settled(id_) and not (published and (station is Station.WITHDRAWN or not station.final)):
            answered = {bot for bot, _ in self.receipts[id_]}
            self.awaiting[id_] = tuple(bot for bot in bots if bot not in answered)
            receipted = station is Station.PUBLISHED and answered and not self.awaiting[id_]
            self.stations[id_] = Station.RECEIPTED if receipted else station

    @precondition(lambda self: self.stations)
    @rule(data=st.data(), stage=st.sampled_from(Stage), bot=st.sampled_from(["demo", "two"]))
    def a_receipt_comes(self, data, stage, bot):
        id_ = data.draw(st.sampled_from(sorted(self.stations)))
        self.run(self.journal.receive([receipt(id_, stage, bot=bot)], at=self.clock()))
        if (bot, stage) not in self.receipts[id_]:
            self.receipts[id_].append((bot, stage))
        if self.awaiting[id_] or self.stations[id_] is Station.PUBLISHED:
            self.awaiting[id_] = tuple(one for one in self.awaiting[id_] if one != bot)
            if not self.awaiting[id_]:
                self.stations[id_] = Station.RECEIPTED

    @rule()
    def what_expired_is_given_up(self):
        self.run(self.journal.give_up(before=self.clock(), at=self.clock()))
        for id_, station in self.stations.items():
            expired = self.accepted[id_].draft.expires_at < self.clock()
            if station is Station.PUBLISHED and self.awaiting[id_] and expired:
                self.stations[id_] = Station.UNANSWERED

    @rule()
    def it_is_pruned(self):
        self.run(self.journal.prune(now=self.clock()))
        for id_ in list(self.stations):
            old = self.clock() - self.accepted[id_].draft.accepted_at > MAX_AGE * SECOND
            if old and self.settled(id_) and self.run(self.journal.life(id_)) is None:
                self.forget(id_)

    def forget(self, id_):
        """A key may still know the signal; its place is gone."""
        self.stations.pop(id_)
        self.receipts.pop(id_)
        self.awaiting.pop(id_)
        if self.accepted[id_].draft.identity.key is None:
            self.accepted.pop(id_)

    @rule(crash=st.booleans())
    def it_is_opened_again(self, crash):
        old = self.folder / f"{self.generation}.db"
        self.generation += 1
        new = self.folder / f"{self.generation}.db"
        if crash:
            for ending in ("", "-wal"):
                shutil.copy(f"{old}{ending}", f"{new}{ending}")
        self.run(self.journal.close())
        if not crash:
            shutil.copy(old, new)
        self.open()

    @invariant()
    def nothing_that_was_answered_is_lost(self):
        if self.journal is None:
            return
        for id_, station in self.stations.items():
            life = self.run(self.journal.life(id_))
            assert life is not None
            assert [(one.station, one.awaiting) for one in life.deliveries] == [(station, self.awaiting[id_])]
            assert [(stored.bot, stored.stage) for _, stored in life.receipts] == self.receipts[id_]

    @invariant()
    def what_is_not_settled_waits(self):
        if self.journal is None:
            return
        waiting = {id_ for id_, station in self.stations.items() if not station.final}
        awaited = {id_ for id_ in self.stations if self.stations[id_].final and not self.settled(id_)}
        depth = self.journal.depth()
        assert (depth.waiting, depth.awaiting) == (len(waiting), len(awaited))
        assert self.rows(()) == waiting
        for bot in ("demo", "two"):
            assert self.rows([bot]) == waiting | {id_ for id_ in awaited if bot in self.awaiting[id_]}

    def rows(self, bots):
        """The ids of what is due, each lane in its order."""
        lanes = self.run(self.journal.lanes(bots=bots))
        rows = [self.run(self.journal.waiting(lane, after=0, limit=1000, bots=bots)) for lane in lanes]
        for lane in rows:
            assert lane
            assert [row.position for row in lane] == sorted(row.position for row in lane)
            assert [row.sequence for row in lane] == sorted(row.sequence for row in lane)
        return {row.id for lane in rows for row in lane}


TestJournal = JournalMachine.TestCase
TestJournal.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)

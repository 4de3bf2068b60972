"""Any story told to the bot's inbox, with a crash between any two steps: what is found is a beginning of what was told.

It has all that was said to be stored, and nothing out of order: so nothing that was acknowledged is forgotten, what was
started is known as started, what was done stays done, every receipt that is owed is there, and of the predictions that
arrived the newest of each series, with what ended it.
"""

from __future__ import annotations

import asyncio
import copy
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bot_plugin.inbox import WITHDRAWN, Recovered, SqliteInbox, Step, latest
from schemas.receipt import Stage
from tests.inbox_stories import HOUR, SECOND, Clock, arrival, crash, receipt

IDS = st.sampled_from("abcdef")
HANDLERS = st.sampled_from(["one", "two"])
ENDED = st.sampled_from([None, "refused"])
KEEP = st.sampled_from([HOUR, 2 * HOUR])
AFTERWARDS = st.booleans()


@dataclass
class Model:
    """What an inbox knows: by id and handler the step, and whether the receipt is owed."""

    topics: dict[str, tuple[str, int]] = field(default_factory=dict)
    steps: dict[str, dict[str, Step]] = field(default_factory=dict)
    owed: set[tuple[str, str]] = field(default_factory=set)
    left: dict[str, int] = field(default_factory=dict)
    newest: dict[tuple[str, str], tuple[str, int, str | None, int]] = field(default_factory=dict)

    def tell(self, what, id_, *more):
        getattr(self, what)(id_, *more)

    def arrive(self, id_, topic, sequence, handlers, prediction=None):
        self.topics[id_] = topic, sequence
        self.steps[id_] = dict.fromkeys(handlers, Step.SEEN)
        if prediction is not None:
            series, ended, past = prediction
            if sequence >= self.newest.get((topic, series), ("", 0))[1]:
                self.newest[topic, series] = id_, sequence, ended, past

    def withdraw(self, id_):
        for place, (newest, sequence, _, past) in self.newest.items():
            if newest == id_:
                self.newest[place] = newest, sequence, WITHDRAWN, past

    def start(self, id_, handler):
        if self.steps[id_][handler] is Step.SEEN:
            self.steps[id_][handler] = Step.STARTED

    def finish(self, id_, handler):
        self.steps[id_][handler] = Step.DONE
        self.owed.add((id_, handler))

    def confirm(self, id_, handler):
        self.owed.discard((id_, handler))

    def forget(self, id_):
        topic, sequence = self.topics.pop(id_)
        if sequence:
            self.left[topic] = max(sequence, self.left.get(topic, 0))
        self.owed -= {(id_, handler) for handler in self.steps.pop(id_)}

    def seen_by_the_next(self, passed):
        sequences = dict(self.left)
        for id_, (topic, sequence) in self.topics.items():
            if sequence and set(self.steps[id_].values()) - {Step.SEEN}:
                sequences[topic] = max(sequence, sequences.get(topic, 0))
        unfinished = {id_: steps for id_, steps in self.steps.items() if set(steps.values()) - {Step.DONE}}
        newest = {(id_, ended) for id_, _, ended, past in self.newest.values() if past > passed}
        return set(self.topics), unfinished, self.owed, sequences, newest


class InboxMachine(RuleBasedStateMachine):
    """``base`` is what was said to be stored, ``pending`` what was told since."""

    def __init__(self):
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(latest, "ROOM", 1)  # what was told before the last id is asked of the disk
        self.folder = Path(tempfile.mkdtemp(prefix="inbox-"))
        self.generation = 0
        self.path = self.folder / "0" / "inbox.db"
        self.clock = Clock()
        self.base, self.pending = Model(), []
        self.now = Model()
        self.arrived: dict[str, tuple[int, int]] = {}
        self.past: dict[tuple[str, int], int] = {}
        self.sequence = 0
        self.runs: Counter[tuple[str, str, int]] = Counter()
        self.loop = asyncio.new_event_loop()

    def run(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    @initialize()
    def begin(self):
        self.open()

    def open(self) -> Recovered:
        self.inbox = SqliteInbox(self.path, room=0, monotonic=self.clock.monotonic)
        return self.run(self.inbox.open())

    def teardown(self):
        self.patch.undo()
        self.run(self.inbox.close())
        self.loop.close()
        shutil.rmtree(self.folder)

    def tell(self, *op, stored=False):
        self.pending.append(op)
        self.now.tell(*op)
        if stored:
            self.store()

    def store(self):
        self.run(self.inbox.stored())
        self.base, self.pending = copy.deepcopy(self.now), []

    @rule(
        id_=IDS, topic=st.sampled_from("xy"), keep=KEEP, handlers=st.sets(HANDLERS), stored=AFTERWARDS,
    )  # fmt: skip
    def a_signal_comes(self, id_, topic, keep, handlers, stored):
        self.sequence += 5
        self.comes(id_, topic, self.sequence, keep, handlers)
        if stored:
            self.store()

    @rule(
        said=st.lists(st.tuples(IDS, st.integers(0, 3), ENDED, KEEP), min_size=2, max_size=4),
        series=st.sampled_from("pq"), handlers=st.sets(HANDLERS), stored=AFTERWARDS,
    )  # fmt: skip
    def a_model_predicts(self, said, series, handlers, stored):
        """Some come after later ones, while these are remembered for certain."""
        for id_, back, ended, keep in said:
            self.sequence += 5
            held = self.now.newest.get(("x", series))
            late = 0 if held is None or held[-1] <= self.clock.passed else 2 * back
            self.comes(id_, "x", self.sequence - late, keep, handlers, series=series, ended=ended)
        if stored:
            self.store()

    def comes(self, id_, topic, sequence, keep, handlers, **said):
        names, at = tuple(sorted(handlers)), self.clock.now()
        one = arrival(id_, topic=topic, sequence=sequence, handlers=names, at=at, keep=keep, **said)
        new = self.inbox.arrive(one)
        assert new is (id_ not in self.now.topics)
        if new:
            self.arrived[id_] = self.clock.passed, keep
            self.past[id_, sequence] = self.clock.passed + keep
            prediction = (one.series, one.ended, self.clock.passed + keep) if said else None
            self.tell("arrive", id_, topic, sequence, names, prediction)
        if not names and new:
            self.end(id_, None, Stage.REFUSED)

    @rule(id_=IDS, stored=AFTERWARDS)
    def a_withdrawal_comes(self, id_, stored):
        withdrawn = receipt(id_, Stage.WITHDRAWN, handler=None, at=self.clock.now())
        new = self.inbox.withdraw(withdrawn, forget_at=self.clock.now() + HOUR)
        assert new is (id_ not in self.now.topics)
        if new:
            self.arrived[id_] = self.clock.passed, HOUR
            self.pending.append(("arrive", id_, "", 0, ()))
            self.now.arrive(id_, "", 0, ())
            self.tell("finish", id_, "", stored=stored)
        else:
            self.tell("withdraw", id_, stored=stored)

    @rule(id_=IDS, handler=HANDLERS, at_once=st.booleans())
    def a_handler_runs(self, id_, handler, at_once):
        if self.now.steps.get(id_, {}).get(handler) is not Step.SEEN:
            return
        if at_once:
            self.inbox.start_now(id_, handler, at=self.clock.now())
        else:
            self.inbox.start(id_, handler, at=self.clock.now())
        self.tell("start", id_, handler, stored=True)
        run = (id_, handler, self.now.topics[id_][1])
        self.runs[run] += 1
        assert self.runs[run] == 1

    @rule(id_=IDS, handler=HANDLERS, stored=AFTERWARDS)
    def a_handler_ends(self, id_, handler, stored):
        if self.now.steps.get(id_, {}).get(handler) in {Step.SEEN, Step.STARTED}:
            self.end(id_, handler, Stage.HANDLED)
            if stored:
                self.store()

    def end(self, id_, handler, stage):
        self.inbox.finish(receipt(id_, stage, handler))
        self.tell("finish", id_, handler or "")

    @rule(id_=IDS, stored=AFTERWARDS)
    def the_gateway_confirms(self, id_, stored):
        receipts = self.inbox.receipts(id_)
        self.inbox.confirm(receipts)
        for one in receipts:
            self.tell("confirm", id_, one.handler or "")
        if stored:
            self.store()

    @rule(micros=st.sampled_from([SECOND, 20 * 60 * SECOND, HOUR]), stored=AFTERWARDS)
    def time_passes(self, micros, stored):
        self.clock.pass_(micros)
        before = set(self.now.topics)
        self.inbox.prune()
        forgotten = [id_ for id_ in before if id_ not in self.inbox]
        for id_ in forgotten:
            came, keep = self.arrived[id_]
            assert self.clock.passed - came >= keep
        if forgotten:
            self.pending.append(("forget_all", forgotten))
            for id_ in forgotten:
                self.now.forget(id_)
        if stored:
            self.store()

    @rule(micros=st.sampled_from([-200 * HOUR, 200 * HOUR]))
    def the_wall_clock_is_set(self, micros):
        self.clock.wall += micros

    @rule()
    def a_turn_of_the_loop_passes(self):
        self.run(asyncio.sleep(0))

    @rule()
    def it_crashes(self):
        self.restart(crash(self.path, into=self.next_folder()))

    @rule(kept=st.floats(0, 1, exclude_max=True))
    def it_crashes_while_the_last_commit_is_written(self, kept):
        wal = self.path.with_name(f"{self.path.name}-wal")
        before = wal.stat().st_size if wal.exists() else 0
        self.run(self.inbox.stored())
        copied = crash(self.path, into=self.next_folder())
        torn = copied.with_name(wal.name)
        written = torn.stat().st_size - before if torn.exists() else 0
        if self.pending and written > 0:
            with torn.open("r+b") as file:
                file.truncate(before + int(written * kept))
        self.restart(copied)

    @rule()
    def it_stops(self):
        self.run(self.inbox.close())
        self.base, self.pending = copy.deepcopy(self.now), []
        self.check(self.open())

    def next_folder(self):
        self.generation += 1
        return self.folder / str(self.generation)

    def restart(self, path):
        self.run(self.inbox.close())
        self.path = path
        self.check(self.open())

    def check(self, left):
        found = (
            {id_ for id_ in "abcdef" if id_ in self.inbox},
            {one.arrival.id: one.steps for one in left.unfinished},
            {(one.signal, one.handler or "") for one in left.owed},
            left.sequences,
            {(one.id, one.ended) for one in left.predictions if self.past[one.id, one.sequence] > self.clock.passed},
        )
        model = copy.deepcopy(self.base)
        beginnings = [copy.deepcopy(model)]
        for op in self.pending:
            if op[0] == "forget_all":
                for id_ in op[1]:
                    model.forget(id_)
            else:
                model.tell(*op)
            beginnings.append(copy.deepcopy(model))
        passed = self.clock.passed
        matching = [beginning for beginning in beginnings if beginning.seen_by_the_next(passed) == found]
        assert matching, (found, [beginning.seen_by_the_next(passed) for beginning in beginnings])
        self.now, self.base, self.pending = copy.deepcopy(matching[-1]), matching[-1], []
        sequences = [one.arrival.sequence for one in left.unfinished]
        assert sequences == sorted(sequences)

    @invariant()
    def the_memory_is_what_was_told(self):
        if hasattr(self, "inbox"):
            assert {id_ for id_ in "abcdef" if id_ in self.inbox} == set(self.now.topics)


TestInbox = InboxMachine.TestCase
TestInbox.settings = settings(deadline=None, stateful_step_count=30, max_examples=60)

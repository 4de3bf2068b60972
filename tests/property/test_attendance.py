"""However bots come and go: nothing goes to one that is away, nothing twice, keys keep their order, exits go first."""

from __future__ import annotations

from collections import defaultdict, deque

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.attendance import Attendance
from gateway.delivery.lane import Place, Queue, Row
from gateway.journal.model import Lane, Waiting

BOTS, KEYS = "ab", "xyz"
bots = st.sampled_from(BOTS)
steps = st.lists(
    st.tuples(st.just("accept"), bots, st.sampled_from(KEYS), st.sampled_from(["open", "reduce", "unknown"]))
    | st.tuples(st.sampled_from(["come", "leave"]), bots)
    | st.tuples(st.just("step")),
    max_size=60,
)


class Pump:
    """A pump without a broker: it does one thing for one lane at a step, and checks what must hold."""

    def __init__(self):
        self.present, self.sent, self.superseded, self.position = set(), [], [], 0
        self.queues = {Lane(f"hummingbot:{bot}", key): None for bot in BOTS for key in KEYS}
        self.queues = {lane: Queue(lane, more=False, loaded_to=0) for lane in self.queues}
        self.journal, self.work = defaultdict(list), deque()
        self.attendance = Attendance(self.present.__contains__, put=self.put)
        self.due = {bot: set() for bot in BOTS}

    def accept(self, bot, key, effect):
        lane = Lane(f"hummingbot:{bot}", key)
        queue, self.position = self.queues[lane], self.position + 1
        row = Row(waiting(lane, self.position, effect), deadline=0.0)
        self.journal[lane].append(row)
        queue.append(row, room=True)
        if queue.place is Place.IDLE or (queue.place is Place.AWAY and queue.superseded):
            self.put(queue)

    def come(self, bot):
        self.due[bot] |= {
            row.waiting.position
            for lane, rows in self.journal.items()
            for row in rows
            if lane.destination.endswith(bot) and row.waiting.effect == "reduce"
            if self.queues[lane].place is Place.AWAY
        }
        self.present.add(bot)
        self.attendance.came(bot)

    def leave(self, bot):
        self.present.discard(bot)
        self.due[bot].clear()

    def put(self, queue):
        before = queue.place
        queue.place = Place.READY if queue.rows else Place.LOADING if queue.more else Place.IDLE
        if queue.place is not Place.IDLE:
            self.work.append(queue)
        self.attendance.moved(queue, before=before)

    def step(self):
        queue = self.work.popleft()
        if queue.place is Place.LOADING:
            queue.more = False
            queue.load(row for row in self.journal[queue.lane] if row.waiting.position > queue.loaded_to)
            self.put(queue)
        elif queue.superseded:
            self.superseded.append(self.finish(queue))
        elif self.attendance.awaits(queue):
            self.attendance.wait(queue, timer=0.0)
        else:
            self.send(queue)

    def send(self, queue):
        bot, row = queue.lane.destination[-1], queue.rows[0].waiting
        assert bot in self.present
        assert row.effect != "open" or not self.due[bot], "an entry went before an exit that had waited"
        self.due[bot].discard(row.position)
        self.sent.append(self.finish(queue))

    def finish(self, queue):
        row = queue.finish()
        self.journal[queue.lane] = [one for one in self.journal[queue.lane] if one.waiting is not row]
        self.put(queue)
        return row


def waiting(lane, position, effect):
    return Waiting(
        position=position,
        lane=lane,
        id=f"id-{position}",
        source="src",
        body="trade",
        effect=effect,
        topic="t",
        payload=b"",
        sequence=None,
        accepted_at=0,
        expires_at=1,
        once=True,
    )


@given(steps)
def test_stock_bots_get_each_signal_once_in_order_while_they_are_there_and_what_reduces_first(taken):
    pump, accepted = Pump(), 0
    for what, *details in taken:
        if what != "step":
            accepted += what == "accept"
            getattr(pump, what)(*details)
        elif pump.work:
            pump.step()
    for bot in BOTS:
        pump.come(bot)
    while pump.work:
        pump.step()

    assert len(pump.sent) + len(pump.superseded) == accepted
    assert len({row.position for row in pump.sent + pump.superseded}) == accepted
    assert all(row.effect == "open" for row in pump.superseded)
    for lane in pump.queues:
        positions = [row.position for row in pump.sent if row.lane == lane]
        assert positions == sorted(positions)

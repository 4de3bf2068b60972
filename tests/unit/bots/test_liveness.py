"""A bot is alive by its own signs, heard lately on the gateway's timer, and by nothing else."""

from __future__ import annotations

import pytest

from gateway.bots.liveness import SILENCE, Life, Sign, State

AT = 1_795_352_101_000_000
LONG_AGO = -1000.0


def life(*signs, timer=0.0):
    made = Life()
    for sign in signs:
        made.sign(sign, timer=timer, at=AT)
    return made


def look(made, timer, *, listening_since=LONG_AGO):
    return made.look(timer=timer, listening_since=listening_since, at=AT + 1)


@pytest.mark.parametrize("sign", Sign)
def test_every_sign_makes_a_bot_alive_and_says_what_it_was(sign):
    made = life(sign)
    assert (made.state, made.since, made.seen_at, made.seen_by) == (State.ALIVE, AT, AT, sign)


def test_a_bot_whose_heartbeats_stop_is_dead_after_three_of_them_and_told_once():
    made = life(Sign.HEARTBEAT)
    assert not look(made, SILENCE - 0.1)
    assert made.state is State.ALIVE
    assert look(made, SILENCE)
    assert (made.state, made.since, made.seen_at) == (State.DEAD, AT + 1, AT)
    assert not any(look(made, SILENCE + more) for more in range(100))


def test_any_sign_postpones_death_and_each_death_is_told_by_itself():
    made = life(Sign.HEARTBEAT)
    made.sign(Sign.EVENT, timer=20, at=AT)
    assert not look(made, 40)
    assert look(made, 50)
    assert made.sign(Sign.HEARTBEAT, timer=60, at=AT)
    assert not made.sign(Sign.HEARTBEAT, timer=61, at=AT)
    assert not look(made, 90)
    assert look(made, 91)


def test_silence_from_before_the_gateway_listened_does_not_count():
    made = life(Sign.HEARTBEAT)
    assert not look(made, 500, listening_since=480)
    assert look(made, 510, listening_since=480)


@pytest.mark.parametrize("sign", [Sign.STATUS, Sign.EVENT])
def test_a_bot_that_sends_no_heartbeats_is_not_called_dead_when_it_is_silent(sign):
    made = life(sign)
    assert not look(made, SILENCE)
    assert made.state is State.UNKNOWN


def test_a_card_holds_until_the_broker_takes_it_back():
    made = life(Sign.CARD)
    assert not look(made, 10_000)
    assert made.state is State.ALIVE


def test_a_bot_that_said_goodbye_left_and_is_not_dead():
    made = life(Sign.CARD, Sign.HEARTBEAT)
    made.leave(at=AT + 5)
    assert (made.state, made.since) == (State.LEFT, AT + 5)
    assert not look(made, 1000)
    assert made.state is State.LEFT


@pytest.mark.parametrize(("sign", "state"), [(Sign.EVENT, State.LEFT), (Sign.HEARTBEAT, State.ALIVE)])
def test_what_a_bot_still_had_to_send_when_it_left_does_not_bring_it_back_and_a_heartbeat_does(sign, state):
    made = life(Sign.HEARTBEAT)
    made.leave(at=AT)
    assert not made.sign(sign, timer=1, at=AT)
    assert made.state is state


def test_a_bot_whose_connection_broke_is_dead_at_once_and_told_when_it_does_not_come_back():
    made = life(Sign.CARD, timer=-100)
    made.lose(timer=0, at=AT + 5)
    assert (made.state, made.since) == (State.DEAD, AT + 5)
    assert not look(made, SILENCE - 0.1)
    assert look(made, SILENCE)
    made.sign(Sign.CARD, timer=40, at=AT)
    made.lose(timer=50, at=AT)
    assert not made.sign(Sign.HEARTBEAT, timer=55, at=AT)
    assert not look(made, 80)


def test_the_last_will_of_a_bot_that_said_goodbye_says_nothing():
    made = life(Sign.HEARTBEAT)
    made.leave(at=AT)
    made.lose(timer=1, at=AT)
    assert made.state is State.LEFT


def test_a_death_that_was_told_ends_when_the_bot_says_goodbye():
    made = life(Sign.HEARTBEAT)
    assert look(made, SILENCE)
    assert made.leave(at=AT)
    assert not made.leave(at=AT)
    assert made.state is State.LEFT
    assert not look(made, 1000)


def test_a_bot_that_was_never_heard_is_not_dead():
    made = Life()
    assert not look(made, 1e9)
    assert made.state is State.UNKNOWN

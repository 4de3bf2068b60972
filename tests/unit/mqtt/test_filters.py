"""Filters match as MQTT says, and one covers another exactly when it matches all that the other matches."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mqtt.filters import Routes, covers, is_filter, matches

LITERALS = ("a", "b", "", "$s")
TOPICS = ["/".join(levels) for length in range(1, 5) for levels in product((*LITERALS, "other"), repeat=length)]

levels = st.lists(st.sampled_from((*LITERALS, "+")), min_size=0, max_size=3)
filters = st.builds(lambda head, tail: "/".join(head + tail), levels, st.sampled_from(([], ["#"]))).filter(is_filter)


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/b/c", False),
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+", "a/", True),
        ("a/+", "a/b/c", False),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/#", "ab", False),
        ("#", "a", True),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
        ("+", "/a", False),
        ("+/+", "/a", True),
    ],
)
def test_a_filter_matches_as_the_standard_says(topic_filter, topic, expected):
    assert matches(topic_filter, topic) is expected


@pytest.mark.parametrize("text", ["", "a#", "#/a", "a/#/b", "a+", "+a/b", "a/b#", "a\0"])
def test_what_breaks_the_grammar_is_no_filter_and_covers_nothing(text):
    assert (is_filter(text), covers("#", text), covers(text, "a")) == (False, False, False)


@given(outer=filters, inner=filters)
def test_covering_is_matching_every_topic_that_the_other_matches(outer, inner):
    assert covers(outer, inner) is all(matches(outer, topic) for topic in TOPICS if matches(inner, topic))


@given(topic_filter=filters, others=st.lists(filters, max_size=4), topics=st.lists(st.sampled_from(TOPICS)))
def test_routes_find_every_target_of_a_topic_in_order(topic_filter, others, topics):
    routes = Routes()
    for place, route in enumerate([topic_filter, *others]):
        routes.of(TOPICS[0])
        routes.add(route, place)
    for topic in topics:
        expected = tuple(place for place, route in enumerate([topic_filter, *others]) if matches(route, topic))
        assert routes.of(topic) == routes.of(topic) == expected


def test_routes_remember_a_bounded_number_of_topics():
    routes = Routes()
    routes.add("#", 1)
    for number in range(40_000):
        routes.of(f"t/{number}")
        assert len(routes._remembered) <= 16_384
    assert routes.of("t/" + "x" * 300) == (1,)
    assert max(map(len, routes._remembered)) <= 256


def test_routes_name_each_filter_once_with_its_targets():
    routes = Routes()
    for place, route in enumerate(["a/+", "b", "a/+"]):
        routes.add(route, place)
    assert list(routes.filters()) == [("a/+", (0, 2)), ("b", (1,))]

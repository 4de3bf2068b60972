"""Topics: build and parse are inverses, and no text leaves its own segment."""

from __future__ import annotations

import pytest

from schemas.topics import (
    UNKNOWN_INSTRUMENT,
    NamedTopic,
    SignalTopic,
    TopicError,
    Topics,
    decode_segment,
    encode_segment,
)

HOSTILE = [
    "#",
    "+",
    "/",
    "$",
    ".",
    "%",
    "\x00",
    "\x1f",
    " ",
    "🚀",
    "a/../b",
    "$SYS/#",
    "%2F",
    "%00",
    "\u00e9",
    "e\u0301",
    "-",
    "--",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_stays_in_its_segment_and_comes_back(text: str) -> None:
    place = SignalTopic("trade", "tv", text)
    topic = Topics().signal(place)
    assert topic.count("/") == 4
    assert not set(topic) & set("#+$.\x00\x1f 🚀é")
    assert topic.isascii()
    assert Topics().parse(topic) == place


def test_texts_that_look_alike_have_topics_of_their_own() -> None:
    assert len({encode_segment(text) for text in HOSTILE}) == len(HOSTILE)


def test_no_instrument_is_a_dash() -> None:
    assert Topics().signal(SignalTopic("alert", "tv", UNKNOWN_INSTRUMENT)) == "signals/v1/alert/tv/-"


@pytest.mark.parametrize("text", ["", "x" * 129, "x" * 5000, "é" * 22, "\ud800"])
def test_a_text_that_does_not_fit_is_refused_in_few_words(text: str) -> None:
    with pytest.raises(TopicError) as raised:
        encode_segment(text)
    assert len(str(raised.value)) < 300


def test_a_segment_may_have_128_bytes() -> None:
    assert encode_segment("x" * 128) == "x" * 128
    assert len(encode_segment("." * 42 + "xx")) == 128


@pytest.mark.parametrize(
    "segment", ["", "a.b", "a b", "%2f", "%4", "%", "%GG", "%41", "%FF", "%C0%AF", "%ED%A0%80", "a/b", "A\n", "x" * 129]
)
def test_a_segment_that_no_builder_makes_is_refused(segment: str) -> None:
    with pytest.raises(TopicError):
        decode_segment(segment)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "signals",
        "signals/v1",
        "signals/v2/trade/tv/BTC-USDT",
        "signals/v1/trade/tv",
        "signals/v1/trade/tv/",
        "signals/v1/trade//BTC-USDT",
        "signals/v1/trade/tv/BTC-USDT/x",
        "signals/v1/trade/t.v/BTC-USDT",
        "signals/v1/trade/+/BTC-USDT",
        "signals/v1/stranger/demo",
        "signals-test/v1/receipt/demo",
        "signals-other/v1/trade/tv/BTC-USDT",
        "xsignals/v1/trade/tv/BTC-USDT",
        "hbot/demo/external/event/x",
        "/signals/v1/trade/tv/BTC-USDT",
    ],
)
def test_a_topic_that_no_builder_makes_is_refused(topic: str) -> None:
    with pytest.raises(TopicError):
        Topics().parse(topic)


def test_the_topic_of_ml_signals_has_the_pair_as_hummingbots_controller_spells_it() -> None:
    assert Topics().ml_signals("BTC-USDT") == "hbot/predictions/btc_usdt/ML_SIGNALS"
    assert Topics(namespace="a/b").ml_signals("1INCH-USDT") == "a/b/predictions/1inch_usdt/ML_SIGNALS"


@pytest.mark.parametrize("pair", ["", "BTC/USDT", "+", "#", "BTC-USDT/x", "btc.usdt", "ü-USDT", "x" * 129])
def test_a_pair_that_is_no_name_has_no_topic_of_ml_signals(pair: str) -> None:
    with pytest.raises(TopicError):
        Topics().ml_signals(pair)


@pytest.mark.parametrize("kind", ["receipt", "receipted", "bot", "gateway"])
def test_a_named_topic_is_read_back(kind: str) -> None:
    topics = Topics(root="a/b")
    topic = getattr(topics, kind)("demo")
    assert topic == topics.every(kind).replace("+", "demo")
    assert topics.parse(topic) == NamedTopic(kind, "demo")


@pytest.mark.parametrize("name", ["", "a/b", "a.b", "+", "#", "a b", "é", "x" * 129, "a\n", "\x00"])
def test_a_name_that_is_no_segment_builds_no_topic(name: str) -> None:
    for build in (Topics().receipt, Topics().receipted, Topics().bot, Topics().gateway):
        with pytest.raises(TopicError):
            build(name)
    with pytest.raises(TopicError):
        Topics().signal(SignalTopic("trade", name, "BTC-USDT"))
    with pytest.raises(TopicError):
        Topics().external_event(name, "signal")


def test_a_test_signal_is_never_below_the_root_of_the_others() -> None:
    topics = Topics()
    place = SignalTopic("trade", "tv", "BTC-USDT", test=True)
    assert not topics.signal(place).startswith("signals/")
    assert topics.parse(topics.signal(place)) == place


@pytest.mark.parametrize(
    ("root", "namespace"),
    [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("a", "a-test"), ("a", "a-test/b"), ("a-test", "a-test")],
)
def test_trees_that_overlap_are_refused(root: str, namespace: str) -> None:
    with pytest.raises(TopicError, match="overlap"):
        Topics(root=root, namespace=namespace)


@pytest.mark.parametrize("tree", ["", "/a", "a/", "a//b", "a/#", "+", "$SYS", "a.b", "a b", "é"])
def test_a_tree_that_is_no_prefix_of_topics_is_refused(tree: str) -> None:
    with pytest.raises(TopicError, match="not a topic prefix"):
        Topics(root=tree)
    with pytest.raises(TopicError, match="not a topic prefix"):
        Topics(namespace=tree)


def test_roots_that_only_begin_alike_do_not_overlap() -> None:
    assert Topics(root="hbots", namespace="hbot").every("bot") == "hbots/v1/bot/+"


def test_a_filter_stands_for_any_where_nothing_is_named() -> None:
    topics = Topics()
    assert topics.signal_filter() == "signals/v1/+/+/+"
    assert topics.signal_filter("trade", "tv", "a/b", test=True) == "signals-test/v1/trade/tv/a%2Fb"


@pytest.mark.parametrize("name", ["#", "a/b", "", "é"])
def test_a_filter_takes_only_names_for_bodies_and_sources(name: str) -> None:
    with pytest.raises(TopicError):
        Topics().signal_filter(name)
    with pytest.raises(TopicError):
        Topics().signal_filter("trade", name)


@pytest.mark.parametrize("name", ["", "a..b", "event", "my-event", "a.event.b", "a/b", "#", "a b"])
def test_an_event_that_hummingbot_would_misread_is_refused(name: str) -> None:
    with pytest.raises(TopicError, match="cannot name an event"):
        Topics().external_event("demo", name)

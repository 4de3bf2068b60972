"""Whatever filters a configuration has, a handler gets the signals on the topics that MQTT's own matching selects."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot_plugin import PluginSettings, SignalListener
from bot_plugin.dispatch import wants
from bot_plugin.listening import select
from bot_plugin.reading import read
from bot_plugin.signal import Signal
from bot_plugin.testing import build, topic_of
from bot_plugin.transport import Message, matches
from schemas import envelope as envelopes
from schemas.topics import Topics

MODES = ("live", "paper", "test")
ROOTS = st.sampled_from(["signals", "signals-test"])
BODIES = st.sampled_from(["trade", "alert"])
SOURCES = st.sampled_from(["a", "b"])
PAIRS = st.sampled_from(["BTC-USDT", "ETH-USDT"])
KINDS = st.sampled_from(["spot", "perpetual"])
INSTRUMENTS = st.sampled_from(["BTC-USDT", "BTC-USDT-PERP", "ETH-USDT", "ETH-USDT-PERP", "-"])
ANY = st.just("+")

FILTERS = st.one_of(
    st.tuples(ROOTS, st.just("v1"), BODIES | ANY, SOURCES | ANY, INSTRUMENTS | ANY).map("/".join),
    st.tuples(ROOTS, st.just("v1"), BODIES | ANY, st.just("#")).map("/".join),
    st.tuples(ROOTS, st.just("v1"), BODIES | ANY, SOURCES | ANY, st.just("#")).map("/".join),
)


def bot(*filters: str) -> SignalListener:
    listener = SignalListener(PluginSettings(bot="demo", modes=MODES, listen=[(one, "act") for one in filters]))  # type: ignore[arg-type]
    listener.provide(act=print)
    return listener


@given(
    st.lists(FILTERS, min_size=1, max_size=4),
    st.tuples(BODIES, SOURCES, PAIRS | st.none(), KINDS, st.sampled_from(MODES)),
)
def test_a_handler_gets_what_its_filters_select(filters: list[str], of: tuple[str, str, str | None, str, str]) -> None:
    listener = bot(*filters)
    body, source, pair, kind, mode = of
    pair = pair or ("BTC-USDT" if body == "trade" else None)
    action = "buy" if body == "trade" else None
    envelope = build(listener, source=source, pair=pair, kind=kind, mode=mode, action=action, message="x")
    topic = topic_of(listener, envelope)
    message = Message(topic=topic, payload=envelopes.encode(envelope))
    signal = read(message, root="signals", now=listener.now, monotonic=listener.monotonic)
    assert isinstance(signal, Signal)
    assert signal.expires_at - signal.time == timedelta(seconds=60)

    selected = any(matches(one, topic) for one in filters)

    assert any(wants(registration, signal) for registration in listener.plan.registrations) == selected
    assert any(matches(one, topic) for one in listener.plan.signal_filters(listener.settings)) == selected
    assert not list(listener.plan.problems(listener.settings))


@given(
    st.lists(st.text(max_size=6) | st.sampled_from(["signals", "signals-test", "v1", "trade", "+", "#"]), max_size=6)
)
def test_any_text_is_read_as_a_filter_of_signals_or_of_others_or_refused(words: list[str]) -> None:
    try:
        selected = select("/".join(words), Topics())
    except ValueError:
        assert words[0] in {"signals", "signals-test"}
    else:
        assert selected is None or words[0] in {"signals", "signals-test"}

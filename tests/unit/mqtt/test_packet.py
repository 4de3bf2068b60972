"""The computed size of a PUBLISH is the size of the packet that gmqtt builds."""

from __future__ import annotations

from types import SimpleNamespace

import gmqtt
from gmqtt.mqtt.package import PublishPacket
from hypothesis import given
from hypothesis import strategies as st

from gateway.mqtt.packet import publish_size

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
properties = st.fixed_dictionaries(
    {},
    optional={
        "message_expiry_interval": st.integers(0, 0xFFFFFFFF),
        "content_type": texts,
        "user_property": st.lists(st.tuples(texts, texts), min_size=1, max_size=8),
    },
)


@given(topic=texts, payload=st.integers(0, 40_000), extras=properties)
def test_the_size_is_that_of_the_packet(topic, payload, extras):
    protocol = SimpleNamespace(proto_ver=5, id_generator=SimpleNamespace(next_id=lambda: 7))
    message = gmqtt.Message(topic, b"x" * payload, qos=1, **extras)
    _, packet = PublishPacket.build_package(message, protocol)
    assert publish_size(topic, b"x" * payload, extras) == len(packet)

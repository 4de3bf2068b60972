"""What is computed of a PUBLISH agrees with the packets that gmqtt and amqtt build."""

from __future__ import annotations

from types import SimpleNamespace

import gmqtt
from amqtt.mqtt.connack import ConnackPacket
from amqtt.mqtt.publish import PublishPacket as AmqttPublish
from gmqtt.mqtt.package import PublishPacket
from hypothesis import given
from hypothesis import strategies as st

from gateway.mqtt.packet import publish_size, published_topic

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
properties = st.fixed_dictionaries(
    {},
    optional={
        "message_expiry_interval": st.integers(0, 0xFFFFFFFF),
        "content_type": texts,
        "user_property": st.lists(st.tuples(texts, texts), min_size=1, max_size=8),
    },
)


@given(topic=texts, payload=st.integers(0, 40_000), extras=properties | st.none())
def test_the_size_is_that_of_the_packet(topic, payload, extras):
    protocol = SimpleNamespace(proto_ver=4 if extras is None else 5, id_generator=SimpleNamespace(next_id=lambda: 7))
    message = gmqtt.Message(topic, b"x" * payload, qos=1, **(extras or {}))
    _, packet = PublishPacket.build_package(message, protocol)
    assert publish_size(topic, b"x" * payload, extras) == len(packet)


@given(
    topic=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="#+"), max_size=300),
    payload=st.integers(0, 40_000),
    qos=st.integers(0, 2),
    retain=st.booleans(),
)
def test_the_topic_is_that_of_the_packet(topic, payload, qos, retain):
    packet = AmqttPublish.build(topic, b"x" * payload, 7 if qos else None, False, qos, retain)
    assert published_topic(packet.to_bytes()) == topic


def test_another_packet_has_no_topic():
    assert published_topic(ConnackPacket.build(0, 0).to_bytes()) is None

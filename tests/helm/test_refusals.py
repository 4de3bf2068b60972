"""Values that cannot work are refused with a sentence that says what to do, all at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.helm.engine import KINDS, MINIMAL, Refused, merged, render

ROUTE = {"enabled": True, "hostnames": ["a.example.com"], "parentRefs": [{"name": "public"}]}
EMBEDDED = {"kind": "embedded", "host": "", "existingSecret": ""}

IMPOSSIBLE: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "no image": ({"image": {"repository": ""}}, "image.repository: is not set. Build the image"),
    "two gateways on SQLite": ({"replicas": 2}, "replicas: is 2, and the journal is SQLite"),
    "no volume": ({"persistence": {"enabled": False}}, "persistence.enabled: is false, and signals"),
    "another data folder": (
        {"extraEnv": [{"name": "SIGNAL_GATEWAY_DATA", "value": "/x"}]},
        "extraEnv: sets SIGNAL_GATEWAY_DATA",
    ),
    "a variable over what the chart writes": (
        {"extraEnv": [{"name": "SIGNAL_GATEWAY_BROKER__HOST", "value": "x"}]},
        "extraEnv: sets SIGNAL_GATEWAY_BROKER__HOST",
    ),
    "no source": ({"config": {"sources": {"tradingview": None}}}, "config.sources: names no source"),
    "public_url in the file": ({"config": {"public_url": "https://x"}}, "config.public_url: is set by the chart"),
    "another public port": ({"config": {"http": {"public": {"port": 1}}}}, "config.http: where the gateway listens"),
    "another private port": ({"config": {"http": {"private": {"port": 1}}}}, "config.http: where the gateway listens"),
    "a journal off the volume": (
        {"config": {"journal": {"path": "/tmp/x"}}},
        "config.journal.path: is set by the chart",
    ),
    "a broker in the file": ({"config": {"broker": {"host": "x"}}}, "config.broker: is written by the chart"),
    "a secret in a ConfigMap": (
        {"config": {"notify": {"targets": ["tgram://a/b"]}}},
        "config.notify.targets: a target's URL",
    ),
    "a secret in a mapping in a ConfigMap": (
        {"config": {"notify": {"targets": [{"url": "tgram://a/b"}]}}},
        "config.notify.targets: a target's URL",
    ),
    "a secret beside its file in a ConfigMap": (
        {"config": {"notify": {"targets": [{"url": "tgram://a/b", "url_file": "/secrets/a/b"}]}}},
        "config.notify.targets: a target's URL",
    ),
    "a secret in a variable": (
        {"extraEnv": [{"name": "SIGNAL_GATEWAY_NOTIFY__TARGETS", "value": "tgram://a/b"}]},
        "extraEnv: sets SIGNAL_GATEWAY_NOTIFY__TARGETS to a value",
    ),
    "no broker": ({"broker": {"host": ""}}, "broker.host: is not set"),
    "no login": ({"broker": {"existingSecret": ""}}, "broker.existingSecret: is not set"),
    "no login but a certificate, without TLS": (
        {"broker": {"tls": {"enabled": False, "clientSecret": "x"}}},
        "broker.tls: names certificates",
    ),
    "certificates without TLS": (
        {"broker": {"tls": {"enabled": False, "caSecret": "x"}}},
        "broker.tls: names certificates",
    ),
    "two authorities": (
        {"broker": {"tls": {"caSecret": "x", "caConfigMap": "y"}}},
        "broker.tls: caSecret and caConfigMap",
    ),
    "two brokers": ({"broker": {"kind": "embedded"}}, "broker.kind: is embedded, and broker names an external one"),
    "an embedded broker in the open": (
        {"broker": {**EMBEDDED, "service": {"type": "LoadBalancer"}}},
        "broker.service.type: is LoadBalancer",
    ),
    "webhooks without TLS": ({"service": {"type": "LoadBalancer"}}, "service.type: is LoadBalancer"),
    "webhooks on a node's port without TLS": ({"service": {"type": "NodePort"}}, "service.type: is NodePort"),
    "an ingress without a name": ({"ingress": {"enabled": True, "tlsSecret": "x"}}, "ingress.host: is not set"),
    "an ingress without TLS": (
        {"ingress": {"enabled": True, "host": "a.example.com"}},
        "ingress.tlsSecret: is not set",
    ),
    "a route without a Gateway": ({"httpRoute": {**ROUTE, "parentRefs": []}}, "httpRoute.parentRefs: is empty"),
    "a route without a name": ({"httpRoute": {**ROUTE, "hostnames": []}}, "httpRoute.hostnames: is empty"),
    "callers that are all the controller": (
        {
            "config": {"http": {"allow_from": ["192.0.2.1"]}},
            "ingress": {"enabled": True, "host": "a.example.com", "tlsSecret": "x"},
        },
        "config.http.allow_from: is set, and every caller has the controller's address",
    ),
    "callers that are all a node": (
        {"config": {"http": {"allow_from": ["192.0.2.1"]}}, "service": {"type": "LoadBalancer", "tlsElsewhere": True}},
        "config.http.allow_from: is set, and callers come with a node's address",
    ),
    "notifications that are locked in": (
        {
            "config": {"notify": {"targets": [{"url_file": "/secrets/a/b"}]}},
            "networkPolicy": {"egress": {"restricted": True}},
        },
        "networkPolicy.egress.rules: is empty, and config.notify.targets",
    ),
    "an API of EMQX that is locked out": (
        {"config": {"emqx": {"url": "http://emqx"}}, "networkPolicy": {"egress": {"restricted": True}}},
        "networkPolicy.egress.rules: is empty, and the API",
    ),
    "a journal larger than its volume": (
        {"config": {"journal": {"max_size": "4GiB"}}, "persistence": {"size": "4Gi"}},
        "persistence.size: is 4Gi",
    ),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_an_impossible_combination_is_refused_with_a_sentence(case: str) -> None:
    """Helm renders nothing, and what it says names the value, what is wrong with it, and what to do."""
    values, sentence = IMPOSSIBLE[case]
    with pytest.raises(Refused) as refused:
        render(merged(MINIMAL, values))
    said = [line.strip() for line in str(refused.value).splitlines() if line.strip().startswith("- ")]

    assert len(said) == 1
    assert said[0].startswith(f"- {sentence}")
    assert len(said[0].removeprefix(f"- {sentence}")) > 20


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"config": None}, "config"),
        ({"persistence": None}, "persistence"),
        ({"config": {"http": {"private": None}}}, "config.http.private"),
        ({"config": {"http": {"private": {"hosts": "a"}}}}, "config.http.private.hosts"),
        ({"config": {"notify": {"targets": [None]}}}, "config.notify.targets.0"),
    ],
)
def test_what_has_another_shape_is_named_by_its_key(values: Mapping[str, Any], key: str) -> None:
    """The schema says what is wrong, before a template stumbles over it."""
    with pytest.raises(Refused, match=rf"don't meet the specifications of the schema[^$]*\b{key}\b"):
        render(merged(MINIMAL, values))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"httpRoute": ROUTE}, "gateway.networking.k8s.io/v1/HTTPRoute"),
        ({"serviceMonitor": {"enabled": True}}, "monitoring.coreos.com/v1/ServiceMonitor"),
        ({"prometheusRule": {"enabled": True}}, "monitoring.coreos.com/v1/PrometheusRule"),
    ],
)
def test_a_kind_that_the_cluster_does_not_know_is_named(values: Mapping[str, Any], kind: str) -> None:
    """What is asked for and cannot be made is refused, not left out: the sentence names the CRDs and the option."""
    with pytest.raises(Refused, match=f"does not know {kind}. Install its CRDs first; .* add --api-versions {kind}"):
        render(merged(MINIMAL, values), kinds=[known for known in KINDS if known != kind])


def test_everything_that_is_wrong_is_said_at_once() -> None:
    """With no values at all, what is required is named together."""
    with pytest.raises(Refused) as refused:
        render({})

    for value in ("image.repository", "config.sources", "broker.host", "broker.existingSecret"):
        assert f"- {value}: " in str(refused.value)


@pytest.mark.parametrize(
    "values",
    [
        {"replicas": 0},
        {"broker": {"existingSecret": "", "tls": {"clientSecret": "x"}}},
        {"ingress": {"enabled": True, "host": "a.example.com", "tlsElsewhere": True}},
        {"service": {"type": "NodePort", "tlsElsewhere": True}},
        {
            "config": {"http": {"allow_from": ["192.0.2.1"]}},
            "service": {"type": "LoadBalancer", "tlsElsewhere": True, "externalTrafficPolicy": "Local"},
        },
        {"config": {"http": {"private": {"hosts": ["a"]}}, "broker": {"window": 1, "version": "3.1.1"}}},
        {"config": {"journal": {"max_size": "1GiB"}}, "persistence": {"size": "2Gi"}},
        {"config": {"journal": {"max_size": 500_000_000}}, "persistence": {"size": "1G"}},
        {"extraEnv": [{"name": "SIGNAL_GATEWAY_LOG__LEVEL", "value": "debug"}]},
    ],
    ids=str,
)
def test_what_is_near_to_it_and_can_work_is_taken(values: Mapping[str, Any]) -> None:
    """No sentence is said of values that work."""
    assert render(merged(MINIMAL, values))

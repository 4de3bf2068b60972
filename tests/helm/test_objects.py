"""What Kubernetes would say to the objects, and that they find each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from tests.helm.engine import (
    CHART,
    MINIMAL,
    SETS,
    Object,
    Refused,
    container,
    merged,
    name_of,
    of_kind,
    pod,
    render,
    the,
    values_of,
)
from tests.stopping import STOPPING

OLDEST, NEWEST = "1.28", "1.37"
CUSTOM = {"HTTPRoute", "ServiceMonitor", "PrometheusRule"}
PUBLIC_PATHS = ["/hooks", "/v1/signals", "/v1/predictions"]


def values(name: str) -> dict[str, Any]:
    return values_of(CHART / "ci" / f"{name}-values.yaml")


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("path", SETS, ids=name_of)
def test_kubernetes_knows_every_field(path: Path, version: str) -> None:
    """Each object fits the schema of its kind, strictly, in the oldest and the newest Kubernetes."""
    objects = render(values_of(path))
    for one in objects:
        if one["kind"] not in CUSTOM:
            kubernetes_validate.validate(one, version, strict=True)

    assert {"StatefulSet", "Service", "ConfigMap", "ServiceAccount", "Pod"} <= {one["kind"] for one in objects}


@pytest.mark.parametrize("path", SETS, ids=name_of)
def test_every_object_says_whose_it_is(path: Path) -> None:
    """Each object is in the release's namespace and has the recommended labels; no two have one name."""
    objects = render(values_of(path))
    for one in objects:
        assert one["metadata"]["namespace"] == "trading"
        assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == "r"
        assert one["metadata"]["labels"]["app.kubernetes.io/version"]
    names = [(one["kind"], one["metadata"]["name"]) for one in objects]

    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", SETS, ids=name_of)
def test_services_and_policies_find_the_pod_and_not_the_test(path: Path) -> None:
    """Every selector fits the gateway's pod and not that of ``helm test``; each named port is one of the pod's."""
    objects = render(values_of(path))
    labels, test = pod(objects)["metadata"]["labels"], the(objects, "Pod")["metadata"]["labels"]
    ports = {port["name"] for port in container(objects)["ports"]}
    selectors = [one["spec"]["selector"] for one in of_kind(objects, "Service")]
    selectors += [one["spec"]["podSelector"]["matchLabels"] for one in of_kind(objects, "NetworkPolicy")]
    selectors += [one["spec"]["selector"]["matchLabels"] for one in of_kind(objects, "PodDisruptionBudget")]
    selectors += [the(objects, "StatefulSet")["spec"]["selector"]["matchLabels"]]

    for selector in selectors:
        assert selector.items() <= labels.items()
        assert not selector.items() <= test.items()
    for service in of_kind(objects, "Service"):
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for policy in of_kind(objects, "NetworkPolicy"):
        assert {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]} == ports


def specs(objects: list[Object]) -> list[Object]:
    return [pod(objects)["spec"], *(one["spec"] for one in of_kind(objects, "Pod"))]


@pytest.mark.parametrize("path", SETS, ids=name_of)
def test_the_pods_meet_pod_security_restricted(path: Path) -> None:
    """The gateway and ``helm test`` run where a namespace enforces "restricted", on a read-only root: rule by rule."""
    for spec in specs(render(values_of(path))):
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == spec["securityContext"]["fsGroup"] == 10001
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        allowed = {"configMap", "downwardAPI", "emptyDir", "persistentVolumeClaim", "projected", "secret", "csi"}
        assert {kind for volume in spec.get("volumes", []) for kind in volume if kind != "name"} <= allowed
        for one in [*spec["containers"], *spec.get("initContainers", [])]:
            security = one["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["readOnlyRootFilesystem"] is True
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert not {"privileged", "runAsUser", "runAsNonRoot", "seccompProfile", "procMount"} & security.keys()
            assert not any("hostPort" in port for port in one.get("ports", []))
            assert one["resources"]


def test_probes_ask_the_private_listener_and_a_broker_outage_changes_none() -> None:
    """Alive is /livez and ready is /readyz, which tells of the journal alone (test_running: both without a broker)."""
    probes = {name: container(render(MINIMAL))[name] for name in ("startupProbe", "livenessProbe", "readinessProbe")}

    assert {name: probe["httpGet"] for name, probe in probes.items()} == {
        "startupProbe": {"path": "/livez", "port": "private"},
        "livenessProbe": {"path": "/livez", "port": "private"},
        "readinessProbe": {"path": "/readyz", "port": "private"},
    }


def test_a_start_that_brings_a_large_journal_to_a_newer_version_is_not_killed() -> None:
    """It copies the journal before it answers; killed in between, it would begin anew for ever."""
    probe = container(render(MINIMAL))["startupProbe"]

    assert probe["periodSeconds"] * probe["failureThreshold"] >= 15 * 60


def test_kubernetes_waits_as_long_as_the_gateway_needs_to_stop() -> None:
    """The grace period covers the preStop pause and the gateway's own deadlines, all of them used up."""
    objects = render(MINIMAL)
    pause = int(container(objects)["lifecycle"]["preStop"]["exec"]["command"][-1])

    needed = pause + STOPPING

    assert needed < pod(objects)["spec"]["terminationGracePeriodSeconds"]
    with pytest.raises(Refused, match="terminationGracePeriodSeconds"):
        render(merged(MINIMAL, {"terminationGracePeriodSeconds": int(needed) - 1}))


def test_a_release_is_one_pod_with_a_volume_that_outlives_it() -> None:
    """SQLite means a StatefulSet of one, whose claim stays when the release is removed or scaled down."""
    spec = the(render(MINIMAL), "StatefulSet")["spec"]
    (claim,) = spec["volumeClaimTemplates"]

    assert spec["replicas"] == 1
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert claim["metadata"]["labels"] == spec["selector"]["matchLabels"]  # no version: it may never change
    assert claim["metadata"]["name"] in {mount["name"] for mount in container(render(MINIMAL))["volumeMounts"]}


def test_a_change_of_the_configuration_restarts_the_pod() -> None:
    """The gateway reads its configuration when it starts, so a changed one changes the pod, and nothing else does."""

    def checksum(**changes: Any) -> str:
        found: str = pod(render(merged(MINIMAL, changes)))["metadata"]["annotations"]["checksum/config"]
        return found

    assert checksum() == checksum(podAnnotations={"a": "b"})
    assert checksum() != checksum(config={"log": {"level": "debug"}})
    assert checksum() != checksum(broker={"username": "other"})


def test_services_variables_stay_out_of_the_pod() -> None:
    """A Service named signal-gateway would set SIGNAL_GATEWAY_PORT, which looks like a setting."""
    assert all(spec["enableServiceLinks"] is False for spec in specs(render(MINIMAL)))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({}, "registry.example.com/signal-gateway:0.1.0.dev0"),
        ({"tag": "1.2.3"}, "registry.example.com/signal-gateway:1.2.3"),
        ({"tag": "1.2.3", "digest": f"sha256:{'a' * 64}"}, f"registry.example.com/signal-gateway@sha256:{'a' * 64}"),
    ],
)
def test_an_image_is_named_by_digest_tag_or_version(image: dict[str, str], expected: str) -> None:
    """A digest wins over a tag, and without either it is the package's version; ``helm test`` runs the same image."""
    images = {one["image"] for spec in specs(render(merged(MINIMAL, {"image": image}))) for one in spec["containers"]}

    assert images == {expected}


def test_only_public_paths_are_reached_from_outside() -> None:
    """Ingress and HTTPRoute pass on the paths of webhooks and programs alone, to the public port, for one name."""
    ingress = the(render(values("ingress")), "Ingress")["spec"]
    (rule,) = ingress["rules"]
    route = the(render(values("route")), "HTTPRoute")["spec"]
    (routed,) = route["rules"]

    assert [path["path"] for path in rule["http"]["paths"]] == PUBLIC_PATHS
    assert {path["pathType"] for path in rule["http"]["paths"]} == {"Prefix"}
    assert all(
        path["backend"] == {"service": {"name": "r-signal-gateway", "port": {"name": "http"}}}
        for path in rule["http"]["paths"]
    )
    assert rule["host"] == "signals.example.com"
    assert ingress["tls"] == [{"hosts": ["signals.example.com"], "secretName": "signals-tls"}]
    assert "defaultBackend" not in ingress
    assert [match["path"] for match in routed["matches"]] == [
        {"type": "PathPrefix", "value": path} for path in PUBLIC_PATHS
    ]
    assert routed["backendRefs"] == [{"name": "r-signal-gateway", "port": 80}]
    assert route["hostnames"] == ["signals.example.com"]
    assert route["parentRefs"] == [{"name": "public", "namespace": "gateways", "sectionName": "https"}]
    assert set(route) == {"hostnames", "parentRefs", "rules"}


def test_the_private_port_is_never_behind_the_public_service() -> None:
    """The Service of the webhooks has the public port alone; the private one has no address outside the cluster."""
    objects = render(values("everything"))
    public, private = the(objects, "Service", "signals"), the(objects, "Service", "-private")

    assert [port["targetPort"] for port in public["spec"]["ports"]] == ["http"]
    assert [port["targetPort"] for port in private["spec"]["ports"]] == ["private"]
    assert private["spec"]["clusterIP"] == "None"


def test_others_do_not_reach_the_private_port() -> None:
    """The policy opens the private port to the namespace and to who is named, and the webhooks to everybody."""
    http, private = the(render(values("route")), "NetworkPolicy")["spec"]["ingress"]

    assert http == {"ports": [{"port": "http", "protocol": "TCP"}]}
    assert private["from"] == [
        {"podSelector": {}},
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}},
    ]


def test_who_may_reach_the_webhooks_can_be_named() -> None:
    """With publicFrom the webhooks are for those peers, and for the namespace, where ``helm test`` runs."""
    http, _ = the(render(values("secrets")), "NetworkPolicy")["spec"]["ingress"]

    assert http["from"] == [
        {"podSelector": {}},
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}},
    ]


def test_a_limited_gateway_reaches_dns_the_broker_and_what_is_named() -> None:
    """With egress restricted the broker's own port is open, and what is not named is not."""
    policy = the(render(values("secrets")), "NetworkPolicy")["spec"]
    ports = [port["port"] for rule in policy["egress"] for port in rule["ports"]]

    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert ports == [53, 53, 18883, 443]


def test_a_budget_lets_nodes_be_drained() -> None:
    """A budget of a single pod allows its eviction; it is made only where it is asked for."""
    budget = the(render(values("everything")), "PodDisruptionBudget")["spec"]

    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    assert not of_kind(render(MINIMAL), "PodDisruptionBudget")


def test_what_needs_crds_is_off_unless_asked_for() -> None:
    """The least values give objects that every cluster knows, and no Ingress."""
    assert not {one["kind"] for one in render(MINIMAL)} & (CUSTOM | {"Ingress"})


def test_what_kubernetes_takes_is_passed_on() -> None:
    """Scheduling, labels, annotations, variables, volumes and mounts stand in the pod as they were given."""
    given, objects = values("everything"), render(values("everything"))
    spec = pod(objects)["spec"]

    for key in ("priorityClassName", "nodeSelector", "tolerations", "affinity", "topologySpreadConstraints"):
        assert spec[key] == given[key]
    assert pod(objects)["metadata"]["annotations"].items() >= given["podAnnotations"].items()
    assert pod(objects)["metadata"]["labels"].items() >= given["podLabels"].items()
    assert container(objects)["resources"] == {"requests": {"cpu": "1", "memory": "192Mi"}, "limits": {"memory": "1Gi"}}
    assert container(objects)["imagePullPolicy"] == "Always"
    assert spec["terminationGracePeriodSeconds"] == 60
    assert given["extraEnv"][0] in container(objects)["env"]
    assert given["extraVolumes"][0] in spec["volumes"]
    assert given["extraVolumeMounts"][0] in container(objects)["volumeMounts"]
    assert spec["serviceAccountName"] == the(objects, "ServiceAccount")["metadata"]["name"] == "signals-account"
    assert pod(render(values("ingress")))["spec"]["imagePullSecrets"] == [{"name": "registry"}]

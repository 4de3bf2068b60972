"""The pod's files and variables are what the gateway reads: its own loader and its own check say so."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Settings
from gateway.config.folder import Folder, find_folder
from gateway.config.initialise import initialise
from gateway.config.load import load
from tests.certificates import Authority
from tests.helm.engine import (
    CHART,
    MINIMAL,
    SETS,
    configuration,
    container,
    merged,
    name_of,
    pod,
    render,
    values_of,
)
from tests.helm.laid_out import Files, LaidOut, image_environment, lay_out

KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()


@pytest.fixture(scope="module")
def files(authority: Authority) -> Mapping[str, Files]:
    """Everything that the sets of values name, as Secrets; the CA is a ConfigMap, too."""
    signed, ca = authority.sign("gateway"), Path(authority.ca).read_text()
    return {
        "broker": {"password": "a-password", "mqtt": "another-password", "ca.crt": ca},
        "broker-ca": {"ca.crt": ca},
        "broker-client": {"tls.crt": Path(signed.cert).read_text(), "tls.key": Path(signed.key).read_text()},
        "telegram": {"url": "ntfys://topic"},
        "command-keys": {"bot1": f"gateway:{KEY}\n"},
        "private-authorities": {"ca.crt": ca},
    }


def laid(values: Mapping[str, Any], tmp_path: Path, files: Mapping[str, Files]) -> LaidOut:
    """The pod after ``--init``."""
    out = lay_out(render(values), tmp_path, secrets=files, maps=files)
    initialise(find_folder(None, None, out.environ), out.environ, now=0, tokens=False)
    return out


def loaded(out: LaidOut) -> Settings:
    return load(find_folder(None, None, out.environ), out.environ)


def check(out: LaidOut) -> dict[str, Any]:
    """What ``signal-gateway check`` says inside the pod."""
    done = subprocess.run(
        ["signal-gateway", "check", "--json"],
        env=out.environ,
        cwd=out.root,
        capture_output=True,
        timeout=60,
        check=False,
    )
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.mark.parametrize("path", SETS, ids=name_of)
def test_the_gateways_own_check_finds_nothing_wrong(path: Path, tmp_path: Path, files: Mapping[str, Files]) -> None:
    """With the pod's mounts the configuration is right, every file that it names is there, no variable is unknown."""
    said = check(laid(values_of(path), tmp_path, files))

    assert said["problems"] == []
    assert not [warning for warning in said["warnings"] if "names no setting" in warning]


@pytest.mark.parametrize("path", SETS, ids=name_of)
def test_the_gateway_listens_where_probes_and_services_look(
    path: Path, tmp_path: Path, files: Mapping[str, Files]
) -> None:
    """The ports of the pod are those of the settings, on every address; what the image sets does not change that."""
    objects = render(values_of(path))
    settings = loaded(laid(values_of(path), tmp_path, files))
    ports = {port["name"]: port["containerPort"] for port in container(objects)["ports"]}

    assert ports["http"] == settings.http.public.port
    assert ports["private"] == settings.http.private.port
    assert {settings.http.public.host, settings.http.private.host} == {values_of(path).get("listen", "0.0.0.0")}
    assert ports.get("mqtt") == (settings.embedded.port if settings.embedded else None)
    assert settings.embedded is None or settings.embedded.host == "0.0.0.0"


def test_what_is_written_goes_to_the_volume(tmp_path: Path, files: Mapping[str, Files]) -> None:
    """Journal, tokens and logins are on the claim; the configuration is beside it, and read-only as secrets are."""
    objects = render(MINIMAL)
    out = lay_out(objects, tmp_path, secrets=files, maps=files)
    settings = loaded(out)
    mounts = {mount["mountPath"]: mount for mount in container(objects)["volumeMounts"]}

    assert settings.folder == Folder(out.path("/data"), out.path("/etc/signal-gateway/signal-gateway.yml"))
    assert Path(settings.journal.path).is_relative_to(out.path("/data"))
    assert mounts["/data"]["name"] == "data"
    assert {path for path, mount in mounts.items() if not mount.get("readOnly")} == {"/data", "/tmp"}


def test_the_broker_is_reached_with_its_login_and_certificates(tmp_path: Path, files: Mapping[str, Files]) -> None:
    """Host, port, login, client certificate and the tuning of config.broker arrive in the settings."""
    link = loaded(laid(values_of(CHART / "ci" / "secrets-values.yaml"), tmp_path, files)).link

    assert (link.host, link.port, link.username, link.password) == (
        "mqtt.example.com", 18883, "signals", "another-password",
    )  # fmt: skip
    assert link.tls is not None
    assert link.tls.get_ca_certs()
    assert link.window == 32


def test_a_ca_may_be_a_config_map_or_a_secret(tmp_path: Path, files: Mapping[str, Files]) -> None:
    """A private authority is trusted alone, wherever it comes from; without one, those of the machine are."""
    by_map = laid(values_of(CHART / "ci" / "ingress-values.yaml"), tmp_path / "map", files)
    by_secret = laid(values_of(CHART / "ci" / "route-values.yaml"), tmp_path / "secret", files)
    for out in (by_map, by_secret):
        tls = loaded(out).link.tls
        assert tls is not None
        assert [dict(pair for (pair,) in one["subject"])["commonName"] for one in tls.get_ca_certs()] == ["authority"]


def test_a_secret_is_mounted_once_however_often_it_is_named() -> None:
    """A Secret with password, CA and more is one volume; two at one path would be refused by Kubernetes."""
    values = merged(
        MINIMAL, {"broker": {"tls": {"caSecret": "broker"}}, "existingSecrets": ["broker", "other", "other"]}
    )
    volumes = [one["secret"]["secretName"] for one in pod(render(values))["spec"]["volumes"] if "secret" in one]

    assert volumes == ["broker", "other"]


def test_secrets_are_read_by_the_pods_group_alone() -> None:
    """Kubernetes mounts Secrets as root's; the group that runs the gateway may read them, and nobody else."""
    spec = pod(render(values_of(CHART / "ci" / "secrets-values.yaml")))["spec"]
    modes = [one["secret"]["defaultMode"] for one in spec["volumes"] if "secret" in one]

    assert modes == [0o440] * 5
    assert spec["securityContext"]["fsGroup"] == spec["securityContext"]["runAsGroup"]


def test_the_api_answers_to_its_services_names() -> None:
    """The private Service's names are Host names that the API answers, and those of the values besides."""
    hosts = configuration(render(values_of(CHART / "ci" / "everything-values.yaml")))["http"]["private"]["hosts"]

    assert {"signals-private", "signals-private.trading", "signals-private.trading.svc", "gateway.lan"} <= set(hosts)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("minimal", None),
        ("ingress", "https://signals.example.com"),
        ("route", "https://signals.example.com"),
        ("everything", "https://signals.example.com"),
    ],
)
def test_webhooks_are_printed_with_the_public_name(
    name: str, url: str | None, tmp_path: Path, files: Mapping[str, Files]
) -> None:
    """``keys rotate`` prints the name of Ingress, route or publicUrl."""
    assert loaded(laid(values_of(CHART / "ci" / f"{name}-values.yaml"), tmp_path, files)).public_url == url


@pytest.mark.parametrize("size", [1_073_741_824, 1_000_000, 10_000_000_000, "1GiB", "500MB"])
def test_numbers_arrive_as_they_were_written(size: object, tmp_path: Path, files: Mapping[str, Files]) -> None:
    """Helm reads numbers as floats; a large one is no 1e+06 for the gateway."""
    values = merged(MINIMAL, {"config": {"journal": {"max_size": size}}, "persistence": {"size": "100Gi"}})
    sizes = {"1GiB": 1_073_741_824, "500MB": 500_000_000}

    assert loaded(laid(values, tmp_path, files)).journal.max_bytes == sizes.get(str(size), size)


def test_the_pod_sets_what_the_image_sets() -> None:
    """A variable wins over the file, so what the image sets for a container alone is set by the pod as it needs it."""
    assert "SIGNAL_GATEWAY_DATA" in image_environment()
    assert image_environment().keys() <= {variable["name"] for variable in container(render(MINIMAL))["env"]}

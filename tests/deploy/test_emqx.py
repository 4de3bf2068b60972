"""The files of deploy/emqx: EMQX documents every setting in them, they fit together, and what they say is closed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyhocon import ConfigFactory

from gateway.config.folder import find_folder
from gateway.config.load import load
from gateway.config.passwords import hashed, parts
from schemas.fields import is_name
from tests.brokers import require
from tests.emqx_rules import rules_of

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy" / "emqx"
COMPOSE = ("docker-compose.yml", "docker-compose.cluster.yml")
VALUES = ("values-single.yaml", "values-cluster.yaml")
MOUNTED = "/opt/emqx/etc/signal-gateway/"


def documented() -> dict[str, re.Pattern[str]]:
    """By path, the values that EMQX documents."""
    found = {}
    for line in (Path(__file__).parent / "emqx_keys.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            key, values, source = re.split(r"\s{2,}", line, maxsplit=2)
            assert source
            found[key] = re.compile(values)
    return found


DOCUMENTED = documented()


def configuration(name: str) -> Mapping[str, Any]:
    """A HOCON file as a mapping."""
    return ConfigFactory.parse_string((DEPLOY / name).read_text(), resolve=False).as_plain_ordered_dict()


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every setting by its path; entries of a list of mappings have no number."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, (*path, str(key)))
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for inner in value:
            yield from leaves(inner, path)
    else:
        yield ".".join(path), value


def problem(key: str, value: Any) -> str:
    """What is wrong with a setting; empty where EMQX documents it."""
    allowed = DOCUMENTED.get(re.sub(r"^listeners\.(ssl|tcp|ws|wss)\.\w+", "LISTENER", key))
    if allowed is None:
        return f"{key}: is not documented"
    text = f"{value.total_seconds():.0f}s" if isinstance(value, timedelta) else str(value)
    return "" if allowed.fullmatch(text) else f"{key}: {value!r} is not documented"


def of_environment(name: str) -> str:
    """The path of the setting that a variable sets."""
    return name.removeprefix("EMQX_").lower().replace("__", ".")


def services(name: str) -> Mapping[str, Any]:
    """The services of a compose file."""
    services: Mapping[str, Any] = yaml.safe_load((DEPLOY / name).read_text())["services"]
    return services


def nodes(name: str) -> dict[str, Any]:
    """Those of them that are EMQX."""
    return {one: service for one, service in services(name).items() if one.startswith("emqx")}


def environment(service: Mapping[str, Any]) -> dict[str, str | None]:
    """A service's variables; None for one that is passed on."""
    pairs = (entry.partition("=") for entry in service["environment"])
    return {key: value if sign else None for key, sign, value in pairs}


@pytest.mark.parametrize("name", ["emqx.conf", "base.hocon"])
def test_every_setting_and_its_value_are_documented_ones(name: str) -> None:
    found = list(leaves(configuration(name)))

    assert len(found) > 10
    assert [words for key, value in found if (words := problem(key, value))] == []


def test_a_setting_or_a_value_that_is_none_is_found() -> None:
    assert problem("mqtt.max_inflght", 1)
    assert problem("authorization.no_match", "refuse")
    assert problem("listeners.ssl.default.enable_auth", True)
    assert not problem("listeners.ssl.other.enable_authn", "quick_deny_anonymous")


def test_what_protects_is_pinned_and_what_is_tuned_is_not() -> None:
    pinned, tuned = dict(leaves(configuration("emqx.conf"))), dict(leaves(configuration("base.hocon")))

    assert not pinned.keys() & tuned.keys()
    assert {key.partition(".")[0] for key in tuned} == {"mqtt", "retainer"}


def test_a_retained_card_never_expires() -> None:
    """EMQX drops what is older than ``message_expiry_interval`` from a queue, which retained messages may wait in."""
    tuned = dict(leaves(configuration("base.hocon")))

    assert tuned["retainer.msg_expiry_interval"] == 0
    assert "mqtt.message_expiry_interval" not in tuned


def test_nobody_gets_in_without_a_login_and_what_is_not_allowed_is_denied() -> None:
    conf = configuration("emqx.conf")
    listeners = {f"{kind}.{name}": one for kind, named in conf["listeners"].items() for name, one in named.items()}
    on = {name: listener for name, listener in listeners.items() if listener.get("enable", True)}

    assert set(on) == {"ssl.default", "tcp.default"}
    assert all(listener["enable_authn"] == "quick_deny_anonymous" for listener in on.values())
    assert conf["authorization"]["no_match"] == "deny"
    assert [source["type"] for source in conf["authorization"]["sources"]] == ["built_in_database", "file"]
    assert conf["prometheus"]["enable_basic_auth"] is True


def test_a_password_is_hashed_as_ours_are() -> None:
    (authenticator,) = configuration("emqx.conf")["authentication"]
    algorithm = authenticator["password_hash_algorithm"]
    rounds, _, derived = parts(hashed("x"))

    assert algorithm == {"name": "pbkdf2", "mac_fun": "sha512", "iterations": rounds, "dk_length": len(derived)}
    assert authenticator["bootstrap_type"] == "hash"


def test_client_ids_of_two_logins_can_never_be_the_same_one() -> None:
    expression = configuration("emqx.conf")["mqtt"]["clientid_override"]
    found = re.fullmatch(r"concat\(\[username, '(.)', clientid\]\)", expression)

    assert found
    assert not is_name(f"a{found[1]}b")


def test_every_file_that_emqx_reads_is_one_that_is_mounted_and_made(tmp_path: Path) -> None:
    read = {str(value) for _, value in leaves(configuration("emqx.conf")) if str(value).startswith("/")}
    made = created(tmp_path)

    assert all(path.startswith(MOUNTED) for path in read)
    for name in COMPOSE:
        for service in nodes(name).values():
            mounts = [volume.rsplit(":", 2) for volume in service["volumes"] if volume.endswith(":ro")]
            ours = {inside: outside for outside, inside, _ in mounts if inside.startswith(MOUNTED)}
            assert set(ours) == read
            assert {Path(inside).name for inside in ours} <= made
            assert all(outside == f"${{EMQX_FILES:-./files}}/{Path(inside).name}" for inside, outside in ours.items())
            rest = {outside for outside, inside, _ in mounts if not inside.startswith(MOUNTED)}
            assert rest == {"./emqx.conf", "./base.hocon"}
            assert service["env_file"] == ["${EMQX_FILES:-./files}/emqx.env"]
    assert "emqx.env" in made


@pytest.mark.parametrize("name", COMPOSE)
def test_a_compose_file_sets_what_is_documented_keeps_its_data_and_pins_its_images(name: str) -> None:
    for service in services(name).values():
        image = re.fullmatch(r"\$\{\w+:-(\S+):(\d[\d.]*)\}", service["image"])
        assert image, service["image"]
    for service in nodes(name).values():
        given = environment(service)
        assert [words for key, value in given.items() if (words := problem(of_environment(key), value or ""))] == []
        assert given["EMQX_SECURITY_PROFILE"] == "hardened"
        host = str(given["EMQX_NODE_NAME"]).partition("@")[2]
        assert service["hostname"] == host
        assert service["networks"]["default"]["aliases"] == [host]
        assert any(volume.endswith(":/opt/emqx/data") for volume in service["volumes"])
        assert service["cap_drop"] == ["ALL"]
        assert service["healthcheck"]["test"] == ["CMD", "/opt/emqx/bin/emqx", "ctl", "status"]


@pytest.mark.parametrize("name", COMPOSE)
def test_only_mqtt_over_tls_is_reached_from_other_machines(name: str) -> None:
    ports = [port for service in services(name).values() for port in service.get("ports", ())]

    assert [port for port in ports if not port.startswith("127.0.0.1:")] == ["${EMQX_TLS_PORT:-8883}:8883"]
    assert len(ports) == 3


def test_a_cluster_is_three_nodes_that_know_each_other_behind_one_proxy_which_knows_them() -> None:
    cluster = services("docker-compose.cluster.yml")
    members = nodes("docker-compose.cluster.yml")
    names = {str(environment(node)["EMQX_NODE_NAME"]) for node in members.values()}
    hosts = {name.partition("@")[2] for name in names}
    proxied: dict[str, set[str]] = {}
    for part in (DEPLOY / "haproxy.cfg").read_text().split("\nlisten ")[1:]:
        proxied[part.split()[0]] = set(re.findall(r"^  server \S+ (\S+)", part, re.MULTILINE))

    assert len(names) == 3
    for node in members.values():
        given = environment(node)
        assert set(yaml.safe_load(str(given["EMQX_CLUSTER__STATIC__SEEDS"]))) == names
        assert given["EMQX_CLUSTER__DISCOVERY_STRATEGY"] == "static"
        assert node["depends_on"] == {"licence": {"condition": "service_completed_successfully"}}
    assert len({volume for node in members.values() for volume in node["volumes"] if volume.endswith("/data")}) == 3
    assert proxied == {
        "mqtts": {f"{host}:8883" for host in hosts},
        "mqtt": {f"{host}:1883" for host in hosts},
        "api": {f"{host}:18083" for host in hosts},
    }
    assert set(cluster["haproxy"]["depends_on"]) == set(members)


def test_the_nodes_expect_the_proxys_word_for_addresses_where_it_says_it_and_nowhere_else() -> None:
    (mqtts, *others) = (DEPLOY / "haproxy.cfg").read_text().split("\nlisten ")[1:]
    for node in nodes("docker-compose.cluster.yml").values():
        given = {key: value for key, value in environment(node).items() if key.endswith("PROXY_PROTOCOL")}
        assert given == {"EMQX_LISTENERS__SSL__DEFAULT__PROXY_PROTOCOL": "true"}
    assert mqtts.startswith("mqtts")
    assert "send-proxy-v2" in mqtts
    assert not any("send-proxy" in other for other in others)


@pytest.mark.parametrize(
    ("image", "key", "code"),
    [
        ("emqx/emqx:5.8.9", "", 0),
        ("emqx/emqx:v5.8.9", "", 0),
        ("registry.example:5000/emqx/emqx:5.8.9@sha256:ab", "", 0),
        ("emqx/emqx:5.9.0", "", 1),
        ("emqx/emqx:5.10.4", "", 1),
        ("emqx/emqx:6.2.2", "", 1),
        ("emqx/emqx-enterprise:6.2.2", "", 1),
        ("emqx/emqx-enterprise:5.8.11", "", 1),
        ("emqx/emqx-enterprise:6.2.2", "a-key", 0),
        ("emqx/emqx:latest", "a-key", 2),
        ("emqx/emqx:5", "a-key", 2),
        ("emqx/emqx", "a-key", 2),
        ("", "a-key", 2),
    ],
)
def test_a_cluster_without_a_licence_starts_only_where_it_needs_none(image: str, key: str, code: int) -> None:
    variables = {"PATH": os.environ["PATH"], "EMQX_LICENSE__KEY": key}
    command = ["/bin/sh", str(DEPLOY / "licence"), image]
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=10)

    assert ended.returncode == code, ended.stderr
    assert (ended.stderr == "") == (code == 0)
    if code == 1:
        assert "EMQX_LICENSE__KEY" in ended.stderr
        assert "emqx/emqx:5.8.9" in ended.stderr


def test_the_cluster_asks_for_the_licence_of_the_image_that_it_runs() -> None:
    cluster = services("docker-compose.cluster.yml")

    assert {node["image"] for node in nodes("docker-compose.cluster.yml").values()} == {cluster["licence"]["image"]}
    assert cluster["licence"]["entrypoint"] == ["/bin/sh", "/licence", cluster["licence"]["image"]]
    assert cluster["licence"]["environment"] == ["EMQX_LICENSE__KEY"]


CHART = {
    "replicaCount", "image", "emqxConfig", "emqxLicenseSecretName", "envFromSecret", "extraVolumes",
    "extraVolumeMounts", "persistence", "podManagementPolicy", "pdb", "topologySpreadConstraints", "resources",
    "service", "containerSecurityContext",
}  # fmt: skip
"""Those of the chart's values that are used: deploy/charts/emqx-enterprise/values.yaml of EMQX's repository."""


@pytest.mark.parametrize("name", VALUES)
def test_values_are_the_charts_own_and_change_what_it_has_for_trying_out(name: str) -> None:
    values = yaml.safe_load((DEPLOY / name).read_text())

    assert set(values) <= CHART
    given = {key: value for key, value in values["emqxConfig"].items() if value is not None}
    assert [words for key, value in given.items() if (words := problem(of_environment(key), value))] == []
    assert values["emqxConfig"]["EMQX_DASHBOARD__DEFAULT_PASSWORD"] is None
    assert values["envFromSecret"] == "emqx-env"
    assert values["persistence"]["enabled"] is True
    assert values["persistence"]["size"].endswith("Gi")
    assert not [key for key in given if key.endswith("__BIND")]
    mounts = {mount["mountPath"]: mount["name"] for mount in values["extraVolumeMounts"]}
    assert set(mounts) == {"/opt/emqx/etc/emqx.conf", "/opt/emqx/etc/base.hocon", MOUNTED.rstrip("/")}
    assert set(mounts.values()) == {volume["name"] for volume in values["extraVolumes"]}


def test_one_node_is_one_and_three_need_a_licence_find_each_other_and_leave_one_at_a_time() -> None:
    single, cluster = (yaml.safe_load((DEPLOY / name).read_text()) for name in VALUES)

    assert (single["replicaCount"], cluster["replicaCount"]) == (1, 3)
    assert single["emqxConfig"]["EMQX_CLUSTER__DISCOVERY_STRATEGY"] == "manual"
    assert cluster["emqxConfig"]["EMQX_CLUSTER__DISCOVERY_STRATEGY"] == "dns"
    assert cluster["emqxLicenseSecretName"] == "emqx-license"
    assert cluster["podManagementPolicy"] == "Parallel"
    assert cluster["pdb"] == {"enabled": True, "maxUnavailable": 1}


def create(folder: Path, *hosts: str) -> subprocess.CompletedProcess[str]:
    """Run the script as a user does, with this interpreter's commands."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [str(DEPLOY / "create"), "--data", str(folder / "data"), "--files", str(folder / "files"), *hosts]
    return subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=False, timeout=60)


def created(folder: Path) -> set[str]:
    """The names of what the script makes."""
    require("openssl", package="openssl")
    made = create(folder)
    assert made.returncode == 0, made.stderr
    return {file.name for file in (folder / "files").iterdir()}


def test_create_makes_a_gateway_that_is_right_and_a_certificate_that_its_bots_trust(tmp_path: Path) -> None:
    openssl = require("openssl", package="openssl")
    ended = create(tmp_path, "broker.example.com", "10.0.0.1")
    files = tmp_path / "files"
    trusted = [openssl, "verify", "-verify_hostname", "broker.example.com", "-CAfile", str(files / "ca.crt")]

    assert ended.returncode == 0, ended.stderr
    subprocess.run([*trusted, str(files / "tls.crt")], check=True, capture_output=True, timeout=10)
    for name in ("10.0.0.1", "127.0.0.1"):
        by_address = [openssl, "verify", "-verify_ip", name, "-CAfile", str(files / "ca.crt"), str(files / "tls.crt")]
        subprocess.run(by_address, check=True, capture_output=True, timeout=10)
    settings = load(find_folder(None, str(tmp_path / "data"), {}), {})
    assert settings.emqx is not None
    assert settings.link.password
    assert {rule.username for rule in rules_of((files / "acl.conf").read_text())} == {"gateway", None}
    assert files.stat().st_mode & 0o777 == 0o700
    assert (files / "ca.key").stat().st_mode & 0o777 == 0o600


def test_create_leaves_credentials_and_certificate_as_they_are_a_second_time(tmp_path: Path) -> None:
    created(tmp_path)
    kept = ("emqx.env", "prometheus.password", "api-keys", "tls.key", "tls.crt", "ca.crt")
    before = [(tmp_path / "files" / name).read_bytes() for name in kept]
    create(tmp_path)

    assert [(tmp_path / "files" / name).read_bytes() for name in kept] == before


def test_create_takes_no_option_that_it_does_not_know(tmp_path: Path) -> None:
    ended = create(tmp_path, "--help")

    assert ended.returncode == 2
    assert ended.stderr.startswith("usage: ")
    assert list(tmp_path.iterdir()) == []


def test_check_says_what_it_needs_where_there_is_no_docker() -> None:
    ended = subprocess.run(
        ["/bin/bash", str(DEPLOY / "check")], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False
    )
    if not any((Path(folder) / "docker").exists() for folder in ("/usr/bin", "/bin")):
        assert ended.returncode == 2
        assert "needs docker" in ended.stderr


def test_the_readme_says_that_it_is_not_yet_run_and_what_checks_it() -> None:
    text = (DEPLOY / "README.md").read_text()

    assert "not yet run on a Docker host" in text
    assert "deploy/emqx/check" in text
    assert "5.8.9" in text
    assert "EMQX_LICENSE__KEY" in text

"""The compose file says what Compose understands, mounts what is there, and lets nothing out that should stay in."""

from __future__ import annotations

import lzma
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from gateway.config import Folder, load, warnings
from gateway.config.initialise import initialise
from tests.deploy.compose import FOLDER, document, environment
from tests.stopping import STOPPING

SERVICES = ("caddy", "gateway", "broker", "prometheus", "grafana")


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = document()["services"][name]
    return found


def ports(name: str) -> list[list[str]]:
    return [port.rsplit(":", 2) for port in service(name).get("ports", [])]


def test_the_file_is_what_the_compose_specification_allows() -> None:
    with lzma.open(Path(__file__).with_name("compose-spec.json.xz")) as file:
        schema = yaml.safe_load(file)
    right = document()
    wrong = right | {"services": {"gateway": {"image": 1, "tmpf": []}}}
    validator = jsonschema.Draft202012Validator(schema)

    assert [error.message for error in validator.iter_errors(right)] == []
    assert list(validator.iter_errors(wrong))


def test_the_services_are_the_gateway_its_broker_https_and_what_watches_them() -> None:
    assert set(document()["services"]) == set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_can_write_nowhere_and_do_nothing_that_it_need_not(name: str) -> None:
    contained = service(name)

    assert contained["read_only"] is True
    assert contained["cap_drop"] == ["ALL"]
    assert contained.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "caddy" else [])
    assert contained["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "network_mode", "pid", "ipc", "devices"} & contained.keys()
    assert not [mount for mount in contained["volumes"] if "docker.sock" in mount]


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_comes_back_says_how_it_is_and_fills_no_disk_with_logs(name: str) -> None:
    contained = service(name)

    assert contained["restart"] == "unless-stopped"
    assert "healthcheck" in contained or name == "gateway", "the gateway's is in its image"
    assert contained["logging"]["options"] == {"max-size": "10m", "max-file": "5"}


def test_docker_waits_for_longer_than_the_gateway_takes_to_stop() -> None:
    assert float(service("gateway")["stop_grace_period"].removesuffix("s")) > STOPPING


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "gateway"])
def test_an_image_is_pinned_by_its_whole_version(name: str) -> None:
    assert re.search(r":v?\d+\.\d+\.\d+(-alpine)?$", service(name)["image"])


def test_only_https_and_its_redirect_are_open_to_the_world_and_on_localhost_not_even_they() -> None:
    world = {(address, inside) for address, _, inside in ports("caddy")}
    others = {address for name in SERVICES if name != "caddy" for address, *_ in ports(name)}
    alone = document(DOMAIN="localhost", EDGE_ADDRESS="127.0.0.1")["services"]["caddy"]["ports"]

    assert world == {("0.0.0.0", "80"), ("0.0.0.0", "443")}
    assert others == {"127.0.0.1"}
    assert all(port.startswith("127.0.0.1:") for port in alone)


def test_caddy_reaches_the_gateway_and_nothing_else() -> None:
    networks = {name: set(service(name)["networks"]) for name in SERVICES}

    assert [name for name in SERVICES if "edge" in networks[name]] == ["caddy", "gateway"]
    assert networks["caddy"] == {"edge"}
    assert not networks["grafana"] & networks["gateway"]


def test_whose_forwarded_address_is_believed_are_the_members_of_that_network() -> None:
    [pool] = document()["networks"]["edge"]["ipam"]["config"]

    assert environment("gateway")["SIGNAL_GATEWAY_HTTP__TRUSTED_PROXIES"] == pool["subnet"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_file_that_is_mounted_is_there(name: str) -> None:
    sources = [mount.split(":")[0] for mount in service(name)["volumes"]]
    files = [source for source in sources if source.startswith(".") and not source.startswith("./files/")]
    volumes = [source for source in sources if not source.startswith(".")]

    assert [file for file in files if not (FOLDER / file).is_file()] == []
    assert set(volumes) <= set(document()["volumes"])


def test_the_gateways_variables_are_settings_that_it_can_run_with(tmp_path: Path) -> None:
    environ = environment("gateway")
    places = {"/config": tmp_path / "config", "/data": tmp_path / "data", "/broker/logins": tmp_path / "logins"}
    for inside, outside in places.items():
        outside.mkdir()
        environ = {name: re.sub(rf"^{inside}(?=/|$)", str(outside), value) for name, value in environ.items()}
    example = (FOLDER / "signal-gateway.example.yml").read_text()
    (tmp_path / "config/signal-gateway.yml").write_text(example)
    folder = Folder(tmp_path / "data", tmp_path / "config/signal-gateway.yml")
    initialise(folder, environ, now=0)
    settings = load(folder, environ)

    assert warnings(settings, environ) == []
    assert len(warnings(settings, environ | {"SIGNAL_GATEWAY_BROKER__HOTS": "x"})) == 1, "what is no setting is named"
    assert settings.embedded is None
    assert (settings.link.host, settings.link.port) == ("broker", 1883)
    assert settings.public_address == "https://signals.example.com"
    assert {file.name for file in (tmp_path / "logins").iterdir()} >= {"passwd", "acl"}


def test_what_the_example_of_a_configuration_shows_is_right_when_it_is_used() -> None:
    example = (FOLDER / "signal-gateway.example.yml").read_text()
    used = yaml.safe_load(re.sub(r"(?m)^( *)#(?=\S)", r"\1", example))

    assert set(used) == {"sources", "notify"}


def test_the_broker_and_the_gateway_are_one_user_as_only_the_owner_may_read_the_logins() -> None:
    user = re.search(r"(?m)^USER (\S+)$", (FOLDER / "../../Dockerfile").read_text())

    assert user is not None
    assert service("broker")["user"] == user[1]
    assert "logins:/broker/logins:ro" in service("broker")["volumes"]


def test_each_volume_of_the_gateway_has_its_owner_from_the_image() -> None:
    mounts = [mount.split(":")[1] for mount in service("gateway")["volumes"] if not mount.startswith(".")]
    made = re.search(r"(?m)^RUN install --directory --owner 10001 .*", (FOLDER / "../../Dockerfile").read_text())

    assert made is not None
    assert set(mounts) <= set(made[0].split())


def test_the_grafana_password_is_a_file_and_nobody_else_gets_in() -> None:
    told = environment("grafana")

    assert told["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana-admin"
    assert "GF_SECURITY_ADMIN_PASSWORD" not in told
    assert told["GF_AUTH_ANONYMOUS_ENABLED"] == told["GF_USERS_ALLOW_SIGN_UP"] == "false"
    assert service("grafana")["secrets"] == ["grafana-admin"]


def test_grafana_finds_its_dashboard_and_its_prometheus_where_they_are() -> None:
    [source] = yaml.safe_load((FOLDER / "grafana/datasource.yml").read_text())["datasources"]
    [provider] = yaml.safe_load((FOLDER / "grafana/dashboards.yml").read_text())["providers"]
    [dashboard] = [mount.split(":")[1] for mount in service("grafana")["volumes"] if "dashboard.json" in mount]

    assert source["url"] == "http://prometheus:9090"
    assert Path(dashboard).parent == Path(provider["options"]["path"])
    assert environment("grafana")["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == dashboard

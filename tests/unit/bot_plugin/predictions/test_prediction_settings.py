"""A prediction client's settings: from the environment or in code, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot_plugin.predictions import AsyncPredictionClient, PredictionClient, PredictionSettings, SettingsError

ENVIRONMENT = {
    "SIGNAL_GATEWAY_URL": "https://signals.example.com/gateway/",
    "SIGNAL_GATEWAY_SOURCE": "btc-models",
    "SIGNAL_GATEWAY_KEY": "sg_key",
    "SIGNAL_GATEWAY_CA": "ca.pem",
    "SIGNAL_GATEWAY_MODEL": "lstm",
    "SIGNAL_GATEWAY_MODEL_VERSION": "7",
}


def test_the_environment_says_it_all() -> None:
    """And no text of the settings shows the key."""
    settings = PredictionSettings.from_env(ENVIRONMENT)

    assert settings == PredictionSettings(
        url="https://signals.example.com/gateway/",
        source="btc-models",
        key="sg_key",
        ca="ca.pem",
        model="lstm",
        model_version="7",
    )
    assert "sg_key" not in repr(settings)


def test_a_file_says_what_the_environment_does_not(tmp_path: Path) -> None:
    """An empty variable is as good as none."""
    file = tmp_path / "btc.env"
    file.write_text("SIGNAL_GATEWAY_SOURCE=btc\nSIGNAL_GATEWAY_KEY=of-the-file\n")
    environ = {"SIGNAL_GATEWAY_KEY": "of-the-environment", "SIGNAL_GATEWAY_URL": ""}

    assert PredictionClient.from_env(environ, env_file=file).settings.key == "of-the-environment"
    assert AsyncPredictionClient.from_env(environ, env_file=file).settings.url == "http://127.0.0.1:8080"


def test_where_the_settings_come_from_is_said_with_what_is_wrong(tmp_path: Path) -> None:
    """A missing file too."""
    with pytest.raises(SettingsError, match="the environment cannot be used") as refused:
        PredictionSettings.from_env({})
    assert len(refused.value.problems) == 2
    with pytest.raises(SettingsError, match="cannot be read"):
        PredictionSettings.from_env({}, env_file=tmp_path / "none")


@pytest.mark.parametrize(
    ("url", "host", "port", "authority", "target"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1", 8080, "127.0.0.1:8080", "/v1/predictions/a"),
        ("https://signals.example.com", "signals.example.com", 443, "signals.example.com", "/v1/predictions/a"),
        ("https://example.com/gw/", "example.com", 443, "example.com", "/gw/v1/predictions/a"),
        ("http://[::1]:8080", "::1", 8080, "[::1]:8080", "/v1/predictions/a"),
    ],
)
def test_an_address_says_where_to_connect_and_what_to_ask_for(
    url: str, host: str, port: int, authority: str, target: str
) -> None:
    """Behind a proxy it may have a path."""
    settings = PredictionSettings(url=url, source="a", key="k")

    assert (settings.host, settings.port, settings.authority, settings.target) == (host, port, authority, target)


def test_a_source_never_becomes_a_part_of_the_path() -> None:
    """However it is called."""
    assert PredictionSettings(source="../x?y/ü", key="k").target == "/v1/predictions/..%2Fx%3Fy%2F%C3%BC"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"url": "signals.example.com"}, "url is the gateway's address"),
        ({"url": "ftp://example.com"}, "url is the gateway's address"),
        ({"url": "http://example.com:port"}, "url is the gateway's address"),
        ({"url": "http://example.com:99999"}, "url is the gateway's address"),
        ({"url": "http://[::1"}, "url is the gateway's address"),
        ({"url": "http://signals..example.com"}, "url is the gateway's address"),
        ({"url": "http://example.com/?a=b"}, "url is the gateway's address"),
        ({"url": "http://example.com/\r\nX: y"}, "url is the gateway's address"),
        ({"url": "https://user:pw@example.com"}, "url has a user or password"),
        ({"source": ""}, "source is missing"),
        ({"key": None}, "neither a key nor a secret"),
        ({"secret": "whsec_" + "A" * 32}, "both a key and a secret"),
        ({"key": "two\r\nlines"}, "key has characters that a header cannot have"),
        ({"key": "schlüssel"}, "key has characters that a header cannot have"),
        ({"ca": "ca.pem"}, "there is a ca, but url does not begin with https"),
        ({"within": 0}, "within is more than 0, not 0"),
        ({"timeout": float("nan")}, "timeout is more than 0"),
        ({"queue": -1}, "queue is more than 0"),
        ({"batch": 0}, "batch is more than 0"),
    ],
)
def test_what_cannot_work_is_refused_with_its_name(wrong: dict[str, Any], words: str) -> None:
    """Before anything is sent."""
    with pytest.raises(SettingsError) as refused:
        PredictionSettings(**{"source": "a", "key": "k", **wrong})

    assert any(words in problem for problem in refused.value.problems), refused.value


def test_a_file_of_authorities_that_is_none_is_refused_when_the_client_is_opened(tmp_path: Path) -> None:
    """And the client can be opened once it is there."""
    settings = PredictionSettings(url="https://example.com", source="a", key="k", ca=str(tmp_path / "ca.pem"))

    client = PredictionClient(settings)
    with pytest.raises(SettingsError, match="No such file"):
        client.open()
    client.close()

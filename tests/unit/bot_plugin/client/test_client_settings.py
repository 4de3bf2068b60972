"""A client's settings: from the environment or in code, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot_plugin.client import BotClient, ClientSettings, CommandKey, SettingsError

ENVIRONMENT = {
    "SIGNAL_GATEWAY_CLIENT": "desk",
    "SIGNAL_GATEWAY_MQTT_HOST": "broker.example",
    "SIGNAL_GATEWAY_MQTT_PORT": "8883",
    "SIGNAL_GATEWAY_MQTT_USERNAME": "alice",
    "SIGNAL_GATEWAY_MQTT_PASSWORD": "s3cret-pass",
    "SIGNAL_GATEWAY_MQTT_TLS": "1",
    "SIGNAL_GATEWAY_ROOT": "sig",
    "SIGNAL_GATEWAY_NAMESPACE": "bots",
    "SIGNAL_GATEWAY_BOTS": "bot1, bot2",
    "SIGNAL_GATEWAY_COMMAND_KEY": "k1:" + "a2tr" * 11,
}


def test_the_environment_says_it_all() -> None:
    """The names are those of a bot, and the client's own."""
    settings = ClientSettings.from_env(ENVIRONMENT)

    assert settings == ClientSettings(
        name="desk",
        host="broker.example",
        port=8883,
        username="alice",
        password="s3cret-pass",
        tls=True,
        root="sig",
        namespace="bots",
        bots=("bot1", "bot2"),
        command_key=CommandKey(kid="k1", secret=b"kkk" * 11),
    )
    assert settings.timeout == 35


def test_a_file_says_what_the_environment_does_not(tmp_path: Path) -> None:
    """What ``clients add --env-file`` wrote is enough."""
    file = tmp_path / "desk.env"
    file.write_text("SIGNAL_GATEWAY_CLIENT=desk\nSIGNAL_GATEWAY_MQTT_HOST=elsewhere\n")

    client = BotClient.from_env({"SIGNAL_GATEWAY_MQTT_HOST": "here"}, env_file=file)
    assert (client.settings.name, client.settings.host) == ("desk", "here")


def test_a_client_without_a_name_is_called_like_its_login_or_at_random() -> None:
    """Brokers let a login read the replies to its own name."""
    assert ClientSettings(username="alice").name == "alice"
    assert ClientSettings(username="a.b@example").name.startswith("client-")
    assert ClientSettings().name != ClientSettings().name


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"name": "a/b"}, "name has 1 to 64"),
        ({"name": "x" * 65}, "name has 1 to 64"),
        ({"bots": ("a/b",)}, "bots are names, which 'a/b' is not"),
        ({"timeout": 0}, "timeout is seconds"),
        ({"timeout": float("nan")}, "timeout is seconds"),
        ({"port": 0}, "port is 1 to 65535"),
        ({"root": "hbot/x"}, "overlap"),
        ({"password": "x"}, "there is a password, but no username"),
    ],
)
def test_what_cannot_work_is_said(given: dict[str, object], problem: str) -> None:
    """A mistake is named at the start."""
    with pytest.raises(SettingsError) as wrong:
        ClientSettings(**given)  # type: ignore[arg-type]
    assert problem in str(wrong.value)


def test_every_mistake_of_an_environment_is_said_at_once() -> None:
    """The error names variables and settings together."""
    with pytest.raises(SettingsError, match=r"the environment cannot be used") as wrong:
        ClientSettings.from_env({"SIGNAL_GATEWAY_MQTT_PORT": "many", "SIGNAL_GATEWAY_CLIENT": "a/b"})
    assert len(wrong.value.problems) == 2
    with pytest.raises(SettingsError, match="SIGNAL_GATEWAY_MQTT_TLS is 0 or 1"):
        ClientSettings.from_env({"SIGNAL_GATEWAY_MQTT_TLS": "perhaps"})


@pytest.mark.parametrize(
    "key", ["hunter2hunter2", "k1:hunter2", "k1:hunter2,k2:hunter2", "k1:hunter2?!", ":hunter2", ","]
)
def test_a_command_key_that_cannot_be_used_is_named_and_not_shown(key: str) -> None:
    """No message shows a secret, not even half of a wrong one."""
    with pytest.raises(SettingsError, match="SIGNAL_GATEWAY_COMMAND_KEY is NAME:SECRET") as wrong:
        ClientSettings.from_env({"SIGNAL_GATEWAY_COMMAND_KEY": key})
    assert "hunter2" not in str(wrong.value)

"""Where settings come from, and that all that is wrong with them is said at once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bot_plugin import PluginSettings, SettingsError, SignalListener
from bot_plugin.plan import Plan
from schemas.topics import Mode

CONF = """
instance_id: bot1
mqtt_bridge:
  mqtt_host: broker.example
  mqtt_port: 8883
  mqtt_username: bot1
  mqtt_password: s3cret
  mqtt_namespace: hbot/
  mqtt_ssl: true
  mqtt_autostart: true
"""


def test_the_environment_is_read() -> None:
    settings = PluginSettings.from_env(
        {
            "SIGNAL_GATEWAY_BOT": "demo",
            "SIGNAL_GATEWAY_MQTT_HOST": "broker",
            "SIGNAL_GATEWAY_MQTT_PORT": "8883",
            "SIGNAL_GATEWAY_MQTT_USERNAME": "demo",
            "SIGNAL_GATEWAY_MQTT_PASSWORD": "s3cret",
            "SIGNAL_GATEWAY_MQTT_TLS": "1",
            "SIGNAL_GATEWAY_MQTT_CA": "/ca.pem",
            "SIGNAL_GATEWAY_MQTT_VERSION": "3.1.1",
            "SIGNAL_GATEWAY_ROOT": "my/signals",
            "SIGNAL_GATEWAY_NAMESPACE": "bots",
            "SIGNAL_GATEWAY_MODES": "live, paper",
            "SIGNAL_GATEWAY_STATE_DIR": "/state",
            "SIGNAL_GATEWAY_SOURCES": "a,b",
            "SIGNAL_GATEWAY_OF_TOMORROW": "ignored",
        }
    )

    assert settings == PluginSettings(
        bot="demo",
        host="broker",
        port=8883,
        username="demo",
        password="s3cret",
        tls=True,
        ca="/ca.pem",
        mqtt_version="3.1.1",
        root="my/signals",
        namespace="bots",
        modes=(Mode.LIVE, Mode.PAPER),
        state_dir="/state",
        sources=("a", "b"),
    )


def test_every_problem_of_the_environment_is_named_at_once_by_its_variable() -> None:
    with pytest.raises(SettingsError) as caught:
        PluginSettings.from_env(
            {
                "SIGNAL_GATEWAY_MQTT_PORT": "one",
                "SIGNAL_GATEWAY_MQTT_TLS": "perhaps",
                "SIGNAL_GATEWAY_MODES": "real",
                "SIGNAL_GATEWAY_MQTT_VERSION": "4",
                "SIGNAL_GATEWAY_MQTT_PASSWORD": "s3cret",
                "SIGNAL_GATEWAY_ROOT": "a b",
            }
        )

    said = str(caught.value)
    assert len(caught.value.problems) == 7
    for name in ("MQTT_PORT", "MQTT_TLS", "MODES", "BOT is missing", "mqtt_version", "no username", "'a b'"):
        assert name in said
    assert "s3cret" not in said


def test_a_file_of_variables_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / "demo.env"
    lines = ["# from bots add", "export SIGNAL_GATEWAY_BOT=demo", "SIGNAL_GATEWAY_MQTT_PASSWORD='a=b'"]
    file.write_text("\n".join([*lines, "SIGNAL_GATEWAY_MQTT_USERNAME=x"]))

    named = PluginSettings.from_env({"SIGNAL_GATEWAY_ENV_FILE": str(file), "SIGNAL_GATEWAY_MQTT_USERNAME": "y"})
    given = PluginSettings.from_env({}, env_file=file)

    assert (named.bot, named.password, named.username) == ("demo", "a=b", "y")
    assert given.username == "x"


def test_a_missing_file_of_variables_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.env cannot be read: No such file"):
        PluginSettings.from_env({}, env_file=tmp_path / "gone.env")


def test_the_password_is_in_no_repr() -> None:
    assert "s3cret" not in repr(PluginSettings(bot="demo", username="demo", password="s3cret"))


def test_hummingbots_file_is_read_as_hummingbot_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "conf_client.yml"
    file.write_text(CONF)

    listener = SignalListener.from_conf_client(file, modes=("paper",))

    assert listener.settings == PluginSettings(
        bot="bot1",
        host="broker.example",
        port=8883,
        username="bot1",
        password="s3cret",
        namespace="hbot",
        tls=True,
        modes=(Mode.PAPER,),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "is not YAML"),
        ("a: 1", "no mqtt_bridge: block"),
        ("mqtt_bridge: {mqtt_port: x}", "mqtt_bridge.mqtt_port"),
    ],
)
def test_what_is_wrong_with_hummingbots_file_is_said(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "conf_client.yml"
    file.write_text(text)

    with pytest.raises(SettingsError, match=problem):
        PluginSettings.from_conf_client(file)


def test_without_pyyaml_the_cure_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)

    with pytest.raises(SettingsError, match="pip install PyYAML"):
        PluginSettings.from_conf_client(tmp_path / "conf_client.yml")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"bot": "a/b"}, "bot has only"),
        ({"bot": "predictions"}, "is not 'predictions'"),
        ({"modes": ()}, "modes is empty"),
        ({"modes": ("real",)}, "'real' is no mode"),
        ({"port": 0}, "port is 1 to 65535"),
        ({"host": ""}, "host is empty"),
        ({"sources": ("a b",)}, "sources are names"),
        ({"ca": "x"}, "tls is off"),
        ({"root": "a", "namespace": "a/b"}, "overlap"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        PluginSettings(**{"bot": "demo", **settings})  # type: ignore[arg-type]


def test_a_missing_file_of_authorities_is_named() -> None:
    with pytest.raises(SettingsError, match=r"ca '/nowhere\.pem' cannot be used"):
        PluginSettings(bot="demo", tls=True, ca="/nowhere.pem").tls_context()


def plan(settings: PluginSettings, *sources: str, **filters: object) -> Plan:
    listener = SignalListener(settings)
    for number, source in enumerate(sources):
        listener.on_trade(source, name=f"h{number}", **filters)(print)
    return listener.plan


def test_only_what_has_handlers_is_subscribed_and_nothing_twice() -> None:
    settings = PluginSettings(bot="demo")

    assert plan(settings, "b", "a", "a").signal_filters(settings) == ("signals/v1/trade/a/+", "signals/v1/trade/b/+")
    assert plan(settings, "a", "*").signal_filters(settings) == ("signals/v1/trade/+/+",)


def test_the_test_tree_is_subscribed_only_in_test_mode() -> None:
    both = PluginSettings(bot="demo", modes=(Mode.LIVE, Mode.TEST))

    assert plan(both, "a").signal_filters(both) == ("signals/v1/trade/a/+", "signals-test/v1/trade/a/+")
    assert plan(both, "a", mode="test").signal_filters(both) == ("signals-test/v1/trade/a/+",)


def test_any_source_means_the_sources_that_the_settings_allow() -> None:
    settings = PluginSettings(bot="demo", sources=("b", "a"))

    assert plan(settings, "*").signal_filters(settings) == ("signals/v1/trade/a/+", "signals/v1/trade/b/+")


def test_a_handler_that_the_settings_can_never_serve_is_named() -> None:
    settings = PluginSettings(bot="demo", sources=("a",))

    assert list(plan(settings, "c", mode="paper").problems(settings)) == [
        "handler h0 (trade of c mode=paper): paper is not one of this bot's modes; add it",
        "handler h0 (trade of c mode=paper): sources has only a",
    ]

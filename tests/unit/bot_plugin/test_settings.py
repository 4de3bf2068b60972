"""Where settings come from, and that all that is wrong with them is said at once."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bot_plugin import PluginSettings, SettingsError, SignalListener
from bot_plugin.feeds import Feed
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
            "SIGNAL_GATEWAY_MQTT_CERT": "/demo.crt",
            "SIGNAL_GATEWAY_MQTT_KEY": "/demo.key",
            "SIGNAL_GATEWAY_MQTT_VERSION": "3.1.1",
            "SIGNAL_GATEWAY_ROOT": "my/signals",
            "SIGNAL_GATEWAY_NAMESPACE": "bots",
            "SIGNAL_GATEWAY_MODES": "live, paper",
            "SIGNAL_GATEWAY_STATE_DIR": "/state",
            "SIGNAL_GATEWAY_SOURCES": "a,b",
            "SIGNAL_GATEWAY_LISTEN": "signals/v1/trade/+/+=act, bots/demo/external/event/#=events",
            "SIGNAL_GATEWAY_MQTT_LOGGER": "0",
            "SIGNAL_GATEWAY_MQTT_NOTIFIER": "off",
            "SIGNAL_GATEWAY_MQTT_COMMANDS": "false",
            "SIGNAL_GATEWAY_MQTT_EVENTS": "no",
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
        cert="/demo.crt",
        key="/demo.key",
        mqtt_version="3.1.1",
        root="my/signals",
        namespace="bots",
        modes=(Mode.LIVE, Mode.PAPER),
        state_dir="/state",
        sources=("a", "b"),
        listen=(Feed("signals/v1/trade/+/+", "act"), Feed("bots/demo/external/event/#", "events")),
        logger=False,
        notifier=False,
        commands=False,
        events=False,
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


def conf_client(folder: Path, text: str = CONF, *, beside: str | None = None) -> Path:
    """Hummingbot's file, and the one beside it."""
    file = folder / "conf_client.yml"
    file.write_text(text)
    if beside is not None:
        (folder / "conf_signal_gateway.yml").write_text(beside)
    return file


def test_hummingbots_switches_are_the_plugins(tmp_path: Path) -> None:
    switches = "".join(f"  mqtt_{name}: false\n" for name in ("logger", "notifier", "commands", "events"))
    settings = PluginSettings.from_conf_client(
        conf_client(tmp_path, f"{CONF}{switches}  mqtt_external_events: false\n")
    )

    assert (settings.logger, settings.notifier, settings.commands, settings.events) == (False,) * 4


def test_what_hummingbot_has_no_name_for_stands_beside_its_file_and_wins(tmp_path: Path) -> None:
    beside = """
mqtt_ca: /ca.pem
mqtt_cert: /bot1.crt
mqtt_key: /bot1.key
mqtt_username: other
mqtt_commands: true
modes: [live, paper]
sources: a, b
state_dir: /state
root: my/signals
listen:
  my/signals/v1/trade/+/+: act
  hbot/bot1/external/event/#: [events, note]
"""
    settings = PluginSettings.from_conf_client(
        conf_client(tmp_path, f"{CONF}  mqtt_commands: false\n", beside=beside), sources=("c",)
    )

    assert settings == PluginSettings(
        bot="bot1",
        host="broker.example",
        port=8883,
        username="other",
        password="s3cret",
        tls=True,
        ca="/ca.pem",
        cert="/bot1.crt",
        key="/bot1.key",
        root="my/signals",
        modes=(Mode.LIVE, Mode.PAPER),
        sources=("c",),
        state_dir="/state",
        listen=(
            ("my/signals/v1/trade/+/+", "act"),
            ("hbot/bot1/external/event/#", "events"),
            ("hbot/bot1/external/event/#", "note"),
        ),  # type: ignore[arg-type]
    )


def test_a_running_hummingbots_memory_is_read_as_its_file_is(tmp_path: Path) -> None:
    """Ours in its folder wins over that, as it does over the file; what Hummingbot left empty is absent."""
    bridge = {"mqtt_host": "broker.example", "mqtt_port": 8883, "mqtt_username": "", "mqtt_password": ""}
    bridge |= {"mqtt_namespace": "hbot.", "mqtt_ssl": True, "mqtt_commands": False, "mqtt_events": False}
    conf_client(tmp_path, "not read", beside="mqtt_commands: true\nmqtt_ca: /ca.pem\nmodes: paper\n")

    settings = PluginSettings.from_running("bot1", bridge, folder=tmp_path, state_dir="/state")

    given = PluginSettings(bot="bot1", host="broker.example", port=8883, tls=True, ca="/ca.pem")
    assert settings == replace(given, modes=(Mode.PAPER,), state_dir="/state", events=False)
    assert PluginSettings.from_running("bot1", {}, folder=tmp_path / "none") == PluginSettings(bot="bot1")


def test_what_is_wrong_in_a_running_hummingbot_is_said_with_where_it_stands(tmp_path: Path) -> None:
    """Its name, and ours beside it."""
    conf_client(tmp_path, beside="modus: live")
    with pytest.raises(SettingsError) as caught:
        PluginSettings.from_running("my.bot", {"mqtt_port": 0}, folder=tmp_path)

    said = str(caught.value)
    assert f"the running Hummingbot and {tmp_path / 'conf_signal_gateway.yml'}" in said
    assert all(words in said for words in ("it is 'my.bot'", "port is 1 to 65535", "'modus' is no setting")), said


def test_an_empty_file_beside_hummingbots_changes_nothing(tmp_path: Path) -> None:
    alone = PluginSettings.from_conf_client(conf_client(tmp_path))

    assert PluginSettings.from_conf_client(conf_client(tmp_path, beside="# nothing yet\n")) == alone


@pytest.mark.parametrize(
    ("more", "beside", "problems"),
    [
        ("  mqtt_ca: /x\n", None, ["mqtt_bridge.mqtt_ca: with it Hummingbot refuses to start"]),
        ("signal_gateway: {modes: paper}\n", None, ["signal_gateway: with it Hummingbot refuses to start"]),
        ("", "modus: live\nport: 1", ["'modus' is no setting", "'port' is no setting"]),
        ("", "modes: {live: 1}", ["conf_signal_gateway.yml: modes is a list of"]),
        ("", "- modes", ["it is no list of settings"]),
        (
            "",
            "mqtt_ssl: 1\nmqtt_tls: 0",
            ["conf_signal_gateway.yml: mqtt_tls and conf_signal_gateway.yml: mqtt_ssl are the same"],
        ),
        ("", "mqtt_port: true", ["mqtt_port is a number, such as 1883, not True"]),
        ("", "listen: {a/#/b: act}", ["listen: 'a/#/b' is no topic filter"]),
        ("", "listen: {a: }", ["listen: 'a' feeds a callback or queue by its name, not None"]),
        ("", "listen: [act]", ["listen: 'act' is not a filter with a name"]),
        ("", "listen: act", ["listen: 'act' is not FILTER=NAME"]),
        ("", "listen: 7", ["listen: filters with names are expected, not 7"]),
    ],
)
def test_what_is_wrong_beside_hummingbots_file_is_said(
    tmp_path: Path, more: str, beside: str | None, problems: list[str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        PluginSettings.from_conf_client(conf_client(tmp_path, CONF + more, beside=beside))

    assert all(problem in str(caught.value) for problem in problems), str(caught.value)


def test_a_password_of_the_wrong_shape_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        PluginSettings.from_conf_client(conf_client(tmp_path, beside="mqtt_password: [s3cret]"))

    assert "mqtt_password is text" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_hummingbots_names_are_variables_too() -> None:
    given = {
        "SIGNAL_GATEWAY_INSTANCE_ID": "demo",
        "SIGNAL_GATEWAY_MQTT_SSL": "1",
        "SIGNAL_GATEWAY_MQTT_NAMESPACE": "b/",
    }
    settings = PluginSettings.from_env(given)

    assert (settings.bot, settings.tls, settings.namespace) == ("demo", True, "b")


def test_two_names_of_a_setting_may_agree_and_not_differ() -> None:
    agreeing = {"SIGNAL_GATEWAY_BOT": "demo", "SIGNAL_GATEWAY_INSTANCE_ID": "demo"}

    assert PluginSettings.from_env(agreeing).bot == "demo"
    with pytest.raises(
        SettingsError, match="GATEWAY_BOT and SIGNAL_GATEWAY_INSTANCE_ID are the same setting, and diff"
    ):
        PluginSettings.from_env({**agreeing, "SIGNAL_GATEWAY_INSTANCE_ID": "other"})


def test_in_code_feeds_are_a_mapping_or_pairs() -> None:
    expected = (Feed("a/#", "x"), Feed("b", "y"))

    for listen in (
        {"a/#": "x", "b": "y"},
        [("a/#", "x"), ("b", "y")],
        expected,
        "a/#=x,b=y",
        {"a/#": ["x"], "b": ["y"]},
    ):
        assert PluginSettings(bot="demo", listen=listen).listen == expected  # type: ignore[arg-type]


def test_the_secrets_of_the_settings_are_known_however_a_text_may_hold_them(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"two:{'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='}\n")
    keys = {"one": b"x" * 32, "raw": bytes(range(128, 160))}
    settings = PluginSettings(
        bot="demo", username="demo", password="s3cret", command_keys=keys, command_keys_file=str(file)
    )

    assert set(settings.secrets) >= {
        "s3cret",
        "x" * 32,
        "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg",
        "gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    }
    assert PluginSettings(bot="demo").secrets == ()


def test_a_file_may_hold_command_keys_by_name_or_as_a_variable_does(tmp_path: Path) -> None:
    secret = "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg"
    for beside in (f"command_keys: {{one: {secret}}}", f"command_keys: one:{secret}"):
        settings = PluginSettings.from_conf_client(conf_client(tmp_path, beside=f"{beside}\nlegacy_replies: no\n"))

        assert settings.keys["one"].secret == b"x" * 32
        assert not settings.legacy_replies


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


@pytest.mark.parametrize(
    ("text", "beside", "problem"),
    [
        ("mqtt_bridge:\n  mqtt_password: @hunter2", None, "is not YAML, at line 2, column 18: found character '@'"),
        ("mqtt_bridge: {}", "mqtt_password:hunter2", "it is no list of settings"),
    ],
)
def test_a_file_that_cannot_be_read_shows_no_password(
    tmp_path: Path, text: str, beside: str | None, problem: str
) -> None:
    """The message ends up in a log: it says where the slip is, and not what stands there."""
    file = tmp_path / "conf_client.yml"
    file.write_text(text)
    if beside is not None:
        (tmp_path / "conf_signal_gateway.yml").write_text(beside)

    with pytest.raises(SettingsError, match=problem) as raised:
        PluginSettings.from_conf_client(file)

    assert "hunter2" not in str(raised.value)


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
        ({"ca": "x"}, "there is a ca, but tls is off"),
        ({"cert": "x"}, "there is a cert, but tls is off"),
        ({"tls": True, "key": "x"}, "there is a key, but no cert"),
        ({"listen": {"a#": "x"}}, "listen: 'a#' is no topic filter"),
        ({"listen": {"a": ""}}, "listen: 'a' feeds a callback or queue by its name"),
        ({"root": "a", "namespace": "a/b"}, "overlap"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        PluginSettings(**{"bot": "demo", **settings})  # type: ignore[arg-type]


def test_a_missing_file_of_authorities_is_named() -> None:
    with pytest.raises(SettingsError, match=r"ca '/nowhere\.pem' cannot be used: No such file"):
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

"""The configuration: what is right becomes settings, what is wrong is named all at once, with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_plugin import settings as bots
from bot_plugin.client import settings as clients
from gateway.config.document import read
from gateway.config.environment import unknown
from gateway.config.errors import ConfigError
from gateway.config.folder import Folder
from gateway.config.load import load_document
from gateway.config.settings import Settings
from gateway.config.template import TEMPLATE
from gateway.mqtt.model import Version
from schemas.instrument import Kind
from schemas.topics import Mode, TopicError, Topics

EXTERNAL = "broker: {kind: external, host: broker.lan}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path, tmp_path / "signal-gateway.yml")
    made.secrets.mkdir()
    made.broker_password.write_text("sg_own\n")
    return made


def settings_of(text: str, folder: Folder, **environ: str) -> Settings:
    return load_document(read(text, file="c.yml"), folder, environ)


def problems_of(text: str, folder: Folder, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        settings_of(text, folder, **environ)
    return [str(problem) for problem in caught.value.problems]


def test_an_empty_file_gives_a_gateway_on_loopback_with_an_embedded_broker(folder: Folder) -> None:
    settings = settings_of("", folder)

    assert (settings.http.public.host, settings.http.public.port, settings.http.private.port) == (
        "127.0.0.1",
        8080,
        8081,
    )
    assert settings.embedded is not None
    assert settings.embedded.owner == settings.link.username
    assert settings.link.version is Version.V311
    assert settings.link.password == "sg_own"
    assert settings.journal.path == str(folder.journal)


def test_every_error_is_named_at_once_with_its_line_its_key_what_was_found_and_what_is_allowed(folder: Folder) -> None:
    text = """\
public_url: ftp://user@example.com
http:
  public: {prot: 80, port: eighty}
  trusted_proxies: [10.0.0.0/8, proxy]
journal:
  max_age: 30 days
  max_size: 12XB
broker: mqtt://gateway:hunter2@broker
topics: {root: a/b, namespace: a}
sources:
  tv:
    mode: lvie
    ttl: {open: never}
    instrument: {base: BTC, kind: spot}
    mode: paper
  "bad name": {}
logs: {}
"""
    with pytest.raises(TopicError) as overlap:
        Topics(root="a/b", namespace="a")

    assert problems_of(text, folder) == [
        "c.yml:1: public_url is an address such as https://signals.example.com, without a user, a query or a fragment",
        "c.yml:3: http.public.port is a whole number, 0 to 65535 (found 'eighty')",
        "c.yml:3: http.public.prot is not a setting; did you mean 'port'?",
        "c.yml:4: http.trusted_proxies[1] is an address or a network such as 10.0.0.0/8 (found 'proxy')",
        "c.yml:6: journal.max_age is a duration such as 60, 60s, 15m, 12h or 30d (found '30 days')",
        "c.yml:7: journal.max_size is a size such as 65536, 64KB, 256MB or 1GiB (found '12XB')",
        "c.yml:8: broker is a section with settings below it",
        f"c.yml:9: topics do not fit: {overlap.value}",
        "c.yml:12: sources.tv.mode is live or paper or test; did you mean 'live'? (found 'lvie')",
        "c.yml:13: sources.tv.ttl.open is a duration such as 60, 60s, 15m, 12h or 30d (found 'never')",
        "c.yml:14: sources.tv.instrument.quote is missing",
        "c.yml:15: sources.tv.mode is there twice, first in line 12: keep one",
        "c.yml:16: sources.bad name has only A-Z a-z 0-9 _ and -, 1 to 128 of them",
        "c.yml:17: logs is not a setting; did you mean 'log'?",
    ]


def test_an_error_in_a_variable_names_the_variable(folder: Folder) -> None:
    problems = problems_of("", folder, SIGNAL_GATEWAY_HTTP__PUBLIC__PORT="eighty")

    assert problems == [
        "SIGNAL_GATEWAY_HTTP__PUBLIC__PORT: http.public.port is a whole number, 0 to 65535 (found 'eighty')"
    ]


def test_a_variable_wins_over_the_file_and_finds_a_source_by_its_name_in_capitals(folder: Folder) -> None:
    settings = settings_of(
        "http: {public: {port: 1000}}\nsources: {Btc-breakout: {mode: paper}}\n",
        folder,
        SIGNAL_GATEWAY_HTTP__PUBLIC__PORT="2000",
        SIGNAL_GATEWAY_SOURCES__BTC_BREAKOUT__MODE="test",
        SIGNAL_GATEWAY_HTTP__TRUSTED_PROXIES="10.0.0.0/8, ::1",
        SIGNAL_GATEWAY_BROKER__TLS__ENABLED="no",
    )

    assert settings.http.public.port == 2000
    assert settings.sources["Btc-breakout"].mode is Mode.TEST
    assert [str(network) for network in settings.http.trusted_proxies] == ["10.0.0.0/8", "::1/128"]


def test_the_variables_of_bots_and_clients_in_the_same_environment_are_known() -> None:
    variables = {*bots.VARIABLES, *clients.VARIABLES, "ENV_FILE"}
    environ = {f"SIGNAL_GATEWAY_{variable}": "1" for variable in variables}

    assert unknown(read("", file="c.yml"), environ) == []


def test_a_variable_that_names_no_setting_is_a_warning_with_the_nearest_one(folder: Folder) -> None:
    environ = {
        "SIGNAL_GATEWAY_HTTP__PUBLIC__PROT": "80",
        "SIGNAL_GATEWAY_SERVICE_HOST": "10.0.0.1",
        "SIGNAL_GATEWAY_BOT": "demo",
        "SIGNAL_GATEWAY_DATA": "data",
    }
    document = read("", file="c.yml")

    assert load_document(document, folder, environ).http.public.port == 8080
    assert unknown(document, environ) == [
        "SIGNAL_GATEWAY_HTTP__PUBLIC__PROT: names no setting; did you mean 'SIGNAL_GATEWAY_HTTP__PUBLIC__PORT'?",
        "SIGNAL_GATEWAY_SERVICE_HOST: names no setting",
    ]


def test_a_source_has_all_that_its_section_says(folder: Folder) -> None:
    text = """\
sources:
  tv:
    mode: paper
    ttl: {open: 30s, reduce: 1h}
    max_age: 2m
    duplicates: flag
    secret_in: {query: true, body: passphrase}
    secret_keys: [pin]
    limit: 15
    hummingbot: {bots: [one, two], event: tv.signal}
    instrument: {base: btc, quote: usdt, kind: perpetual}
    symbols:
      "bybit:btcusdt": {venue: BYBIT, base: BTC, quote: USDT, kind: future, expiry: "261225"}
"""
    settings = settings_of(text, folder)
    source = settings.sources["tv"]

    assert (source.ttl.open, source.ttl.reduce, source.ttl.alert, source.max_age) == (30, 3600, 300, 120)
    assert not source.drop_duplicates
    assert (source.query_key, source.body_key, source.secret_keys) == (True, "passphrase", ("pin",))
    assert source.hummingbot[0].bots == ("one", "two")
    assert settings.limits == {"tv": 15}
    assert source.instrument is not None
    assert (source.instrument.name, source.instrument.ccxt) == ("BTC-USDT-PERP", "BTC/USDT:USDT")
    assert source.symbols["BYBIT:BTCUSDT"].name == "BTC-USDT-261225"
    assert source.symbols["BYBIT:BTCUSDT"].kind is Kind.FUTURE


def test_paths_are_relative_to_the_configuration(folder: Folder) -> None:
    (folder.root / "pw").write_text("secret\n")
    settings = settings_of("broker: {kind: external, password_file: pw}\njournal: {path: j/x.db}\n", folder)

    assert settings.journal.path == str(folder.root / "j/x.db")
    assert settings.link.password == "secret"
    assert settings.embedded is None


def test_a_missing_password_file_and_unusable_certificates_are_named_with_their_lines(folder: Folder) -> None:
    text = "broker:\n  kind: external\n  password_file: nothing\n  tls:\n    enabled: true\n    ca: nowhere.pem\n"
    password, tls = problems_of(text, folder)

    assert password.startswith(f"c.yml:3: broker.password_file {folder.root}/nothing cannot be read")
    assert tls.startswith("c.yml:4: broker.tls does not work with these files")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("broker: {version: 5}\n", "c.yml:1: broker.version is 3.1.1 for the embedded broker, which speaks no other"),
        ("broker: {tls: {enabled: true}}\n", "c.yml:1: broker.tls is for an external broker"),
        (EXTERNAL + "http: {private: {port: 8080}}\n", "c.yml:2: http.private.port is another one than http.public"),
        ("http: {public: {port: 1883}}\n", "c.yml: broker.port is another one than those of http, not 1883"),
        ("a: &x 1\nb: *x\n", "c.yml:2: b is an alias"),
        ("http: !!python/object:os.system {}\n", "c.yml:1: http has a YAML tag"),
        ("? [a]\n: 1\n", "c.yml: has a key in line 1 that is not a text"),
        ("- 1\n", "c.yml:1: is not a mapping of settings"),
        ("http: [\n", "c.yml:2: is not YAML"),
        ("http: \x00\n", "c.yml: is not YAML"),
        ("[" * 5000, "c.yml: is nested too deeply"),
        ("sources: {tv: {instrument: {base: BTC, quote: USDT, kind: future}}}\n", "c.yml:1: sources.tv.instrument.exp"),
        ("sources: {tv: {hummingbot: {bots: [a], event: my_event}}}\n", "c.yml:1: sources.tv.hummingbot.event does"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_reason(folder: Folder, text: str, problem: str) -> None:
    assert any(found.startswith(problem) for found in problems_of(text, folder)), problems_of(text, folder)


def test_no_value_of_an_unknown_key_is_repeated_as_it_may_be_a_secret(folder: Folder) -> None:
    problems = problems_of(
        "broker: {password: hunter2}\napi_key: hunter2\nsources: {tv: hunter2}\npublic_url: https://a:hunter2@b\n",
        folder,
    )

    assert len(problems) == 4
    assert "hunter2" not in "".join(problems)


def test_no_secret_is_in_the_settings_as_text(folder: Folder) -> None:
    assert "sg_own" not in repr(settings_of("", folder))


def test_the_template_is_right_as_it_is_and_with_everything_commented_in(folder: Folder) -> None:
    (folder.secrets / "my_bot.command.key").write_text(f"gateway:{'k' * 44}")
    everything = re.sub(r"^(\s*)#(?=[^ \n])", r"\1", TEMPLATE, flags=re.MULTILINE)

    assert list(settings_of(TEMPLATE, folder).sources) == ["tradingview"]
    assert settings_of(everything, folder).sources["tradingview"].hummingbot[0].event == "signal"
    assert "#public_url" not in everything


KEYS = st.sampled_from(
    ["http", "public", "port", "sources", "tv", "mode", "ttl", "broker", "tls", "topics", "commands", "bots", "_schema"]
)
SCALARS = st.one_of(st.text(max_size=12), st.sampled_from(["1", "~", "live", "60s", "[", "{", "*a", "&a", "!!x"]))
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(KEYS, inner, max_size=4).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
        ),
    ),
    max_leaves=12,
)


@given(
    text=st.one_of(
        st.text(), TREES, st.dictionaries(KEYS, TREES).map(lambda d: "\n".join(f"{k}: {v}" for k, v in d.items()))
    )
)
def test_any_text_gives_settings_or_a_configuration_error(text: str) -> None:
    folder = Folder(Path("nowhere"), Path("nowhere/c.yml"))
    try:
        settings_of(text, folder)
    except ConfigError as error:
        elsewhere = [problem for problem in error.problems if not problem.place.startswith("c.yml")]
        if elsewhere:
            pytest.fail(f"without a place: {elsewhere}")


@given(value=st.text(), name=st.from_regex(r"[A-Z_]{1,30}", fullmatch=True))
def test_any_variable_gives_settings_or_a_configuration_error(value: str, name: str) -> None:
    folder = Folder(Path("nowhere"), Path("nowhere/c.yml"))
    for variable in (f"SIGNAL_GATEWAY_{name}", "SIGNAL_GATEWAY_PUBLIC_URL", f"SIGNAL_GATEWAY_SOURCES__{name}__LIMIT"):
        try:
            settings_of(EXTERNAL, folder, **{variable: value})
        except ConfigError as error:
            elsewhere = [problem for problem in error.problems if problem.place not in {variable, "c.yml:1"}]
            if elsewhere:
                pytest.fail(f"in another place: {elsewhere}")


def test_a_bots_command_key_is_read_from_its_file_and_is_not_shown(folder: Folder) -> None:
    (folder.secrets / "one.key").write_text("# ours\nops: -_-_AAAA" + "A" * 36 + "\nold: x\n")
    settings = settings_of("commands: {bots: {one: {key_file: secrets/one.key}}}", folder)

    assert settings.command_keys["one"].secret == b"\xfb\xff\xbf" + b"\0" * 30
    assert settings.command_keys["one"].kid == "ops"
    assert "-_-_" not in repr(settings)


@pytest.mark.parametrize(
    "content", ["", "#x:y", "kkkk" * 11, "a/b:" + "k" * 44, "x:" + "k" * 42, "x:" + "!" * 44, "x:é"]
)
def test_a_command_key_that_is_missing_or_short_is_named_and_not_shown(folder: Folder, content: str) -> None:
    (folder.secrets / "short.key").write_text(content)
    text = "commands:\n  bots:\n    one: {key_file: secrets/short.key}\n    two: {key_file: nowhere}\n    three: {}\n"
    problems = problems_of(text, folder)

    assert [re.sub(r"(c\.yml:\d+: \S+) .*", r"\1", problem) for problem in problems] == [
        "c.yml:3: commands.bots.one.key_file",
        "c.yml:4: commands.bots.two.key_file",
        "c.yml:5: commands.bots.three.key_file",
    ]
    assert "32" in problems[0] or "base64url" in problems[0]
    assert "kkkk" not in problems[0]


PREDICTING = "sources: {ml: {type: prediction, models: [btc-lstm, btc-gbm]%s}}"


def test_a_source_of_predictions_names_its_models(folder: Folder) -> None:
    """What a source of predictions says of itself becomes its rules; another source has none."""
    settings = settings_of(PREDICTING % ", interval: 5m, classes: [short, neutral, long]", folder)

    rules = settings.sources["ml"].predictions
    assert rules is not None
    assert (rules.models, rules.interval) == (("btc-lstm", "btc-gbm"), 300.0)
    assert rules.classes == ("short", "neutral", "long")
    assert not rules.ml_signals
    assert settings_of("sources: {tv: {}}", folder).sources["tv"].predictions is None


def test_ml_signals_are_of_the_pairs_that_a_source_names(folder: Folder) -> None:
    """What is said of them before anything is predicted is known from the configuration."""
    text = PREDICTING % ", hummingbot: {ml_signals: true}, symbols: {B: {base: BTC, quote: USDT, kind: spot}}"
    source = settings_of(text, folder).sources["ml"]

    assert source.predictions is not None
    assert (source.predictions.ml_signals, source.pairs) == (True, ("BTC-USDT",))
    fixed = PREDICTING % ", hummingbot: {ml_signals: true}, instrument: {base: ETH, quote: USDT, kind: spot}"
    assert settings_of(fixed, folder).sources["ml"].pairs == ("ETH-USDT",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("sources: {ml: {type: prediction}}", "sources.ml.models is missing"),
        ("sources: {ml: {type: predictions, models: [a]}}", "did you mean 'prediction'"),
        ("sources: {tv: {models: [a]}}", "sources.tv.models is for type prediction only"),
        ("sources: {tv: {interval: 5m}}", "sources.tv.interval is for type prediction only"),
        (PREDICTING % ", interval: 0", "sources.ml.interval is longer than 0"),
        (PREDICTING % ", classes: [short, neutral]", "sources.ml.classes are short and long"),
        (PREDICTING % ", classes: [short, long, long]", "sources.ml.classes are short and long"),
        (PREDICTING % ", secret_in: {query: true}", "sources.ml.secret_in.query is for type trade only"),
        (PREDICTING % ", hummingbot: {bots: [b], event: e}", "sources.ml.hummingbot.bots are for type trade only"),
        ("sources: {tv: {hummingbot: {ml_signals: true}}}", "tv.hummingbot.ml_signals is for type prediction only"),
        (
            PREDICTING % ", mode: test, hummingbot: {ml_signals: true}",
            "sources.ml.hummingbot.ml_signals reaches bots that trade, and the source's mode is test",
        ),
        (PREDICTING % ", hummingbot: {ml_signals: sometimes}", "sources.ml.hummingbot.ml_signals"),
    ],
)
def test_a_source_has_the_settings_of_its_type(text: str, problem: str, folder: Folder) -> None:
    """What makes no sense for a source's type is named at its place."""
    problems = problems_of(text, folder)
    assert any(problem in found for found in problems), problems

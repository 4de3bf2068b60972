"""What ``init`` makes: all that is missing, once, and private."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from bot_plugin.settings import PluginSettings
from gateway.config.bots import put_bot
from gateway.config.folder import Folder
from gateway.config.handout import Handout
from gateway.config.initialise import initialise
from gateway.config.keyring import KeyRing
from gateway.config.logins import BrokerLogins
from gateway.config.store import write
from gateway.config.summary import summary, warnings
from gateway.config.webhook import webhook_url
from gateway.errors import Misconfigured

NOW = 1_795_352_101_000_000


def folder_in(path: Path) -> Folder:
    return Folder(path / "data", path / "data" / "signal-gateway.yml")


def test_everything_is_made_and_works_together(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    made = initialise(folder, {}, now=NOW)

    assert KeyRing(folder.keys, now=lambda: NOW).holds("tradingview", made.tokens["tradingview"])
    plugin = PluginSettings.from_env({}, env_file=folder.bot_env("demo"))
    own = (made.settings.link.username or "", made.settings.link.password or "")
    logins = BrokerLogins(folder, topics=made.settings.topics, gateway=own)
    assert logins.login(plugin.username or "", plugin.password or "") is not None
    assert logins.login(*own) is not None


def test_a_folder_of_another_user_is_named_with_the_command_that_gives_it(tmp_path: Path) -> None:
    """A container gets such a folder in place of its volume."""
    folder, own = folder_in(tmp_path), os.geteuid()
    folder.root.mkdir(mode=0o500)
    os.seteuid(own or 10001)  # root may write anywhere
    try:
        with pytest.raises(Misconfigured) as refused:
            initialise(folder, {}, now=NOW)
    finally:
        os.seteuid(own)

    assert re.search(rf"user (\d+) may not make it: chown -R \1 {folder.root}$", str(refused.value))


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    initialise(folder, {}, now=NOW)
    before = {path: path.read_bytes() for path in folder.root.rglob("*") if path.is_file()}

    again = initialise(folder, {}, now=NOW + 1)

    assert (again.files, again.tokens) == ((), {})
    assert {path: path.read_bytes() for path in folder.root.rglob("*") if path.is_file()} == before


def test_a_new_source_gets_a_token_and_the_old_ones_stay(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    first = initialise(folder, {}, now=NOW)
    write(folder.config, "sources: {tradingview: {}, second: {}}\n")

    again = initialise(folder, {}, now=NOW)

    assert list(again.tokens) == ["second"]
    assert KeyRing(folder.keys, now=lambda: NOW).holds("tradingview", first.tokens["tradingview"])


def test_every_secret_is_for_its_owner_only(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    initialise(folder, {}, now=NOW)

    secrets = [path for path in (*folder.secrets.iterdir(), folder.bot_env("demo")) if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in secrets} == {0o600}
    assert folder.secrets.stat().st_mode & 0o777 == 0o700
    assert list(folder.open_to_others()) == []


def test_the_webhook_begins_with_public_url_or_with_this_machines_address(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    local = initialise(folder, {"SIGNAL_GATEWAY_HTTP__PUBLIC__HOST": "0.0.0.0"}, now=NOW).settings
    public = initialise(folder, {"SIGNAL_GATEWAY_PUBLIC_URL": "https://x.example/sg/"}, now=NOW).settings

    assert webhook_url(local, "tv", "sg_t") == "http://127.0.0.1:8080/hooks/tv/sg_t"
    assert webhook_url(public, "tv", "sg_t") == "https://x.example/sg/hooks/tv/sg_t"


def test_the_summary_and_the_warnings_hold_no_secret(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    made = initialise(folder, {}, now=NOW)
    text = "\n".join([*summary(made.settings), *warnings(made.settings, {}), repr(made)])

    secrets = [folder.api_token.read_text().strip(), folder.broker_password.read_text().strip(), *made.tokens.values()]
    assert "TradingView cannot reach" in text
    assert not [secret for secret in secrets if secret in text]


def test_a_bot_that_a_source_names_and_that_has_no_login_is_warned_about(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    settings = initialise(folder, {}, now=NOW).settings
    source = replace(settings.sources["tradingview"], bots=("demo", "nobody"))
    settings = replace(settings, sources={"tradingview": source})

    told = [warning for warning in warnings(settings, {}) if "bots" in warning]

    assert told == ["sources.tradingview.bots: nobody has no login here, and signals wait for it: bots add nobody"]


def test_hummingbots_lines_are_read_by_the_plugin_whatever_the_bots_name(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    settings = initialise(folder, {}, now=NOW).settings
    password = put_bot(folder.bots, "007", sources=("tradingview",), now=NOW)
    handout = Handout.of(settings, "007", password=password, sources=("tradingview",))
    file = tmp_path / "conf_client.yml"
    file.write_text(handout.bridge)

    plugin = PluginSettings.from_conf_client(file)
    assert (plugin.bot, plugin.username, plugin.password) == ("007", "007", password)
    assert PluginSettings.from_env(handout.variables).sources == ("tradingview",)
    assert password not in repr(handout)

"""Command keys: where they come from, and that no complaint shows one."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from bot_plugin import PluginSettings, SettingsError
from bot_plugin.command_keys import KeyRefused, command_keys, split_keys
from schemas.signature import CommandKey

MAIN, OTHER = b"\xfb\xff" * 16, b"o" * 40
MAIN_TEXT, OTHER_TEXT = (base64.urlsafe_b64encode(secret).decode() for secret in (MAIN, OTHER))

BOTH = {"main": CommandKey(kid="main", secret=MAIN), "other": CommandKey(kid="other", secret=OTHER)}


def test_the_environment_has_keys_and_names_a_file_of_more(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# the old one\n\n other : {OTHER_TEXT}\n")
    settings = PluginSettings.from_env(
        {
            "SIGNAL_GATEWAY_BOT": "demo",
            "SIGNAL_GATEWAY_COMMAND_KEYS": f"main:{MAIN_TEXT.rstrip('=')}",
            "SIGNAL_GATEWAY_COMMAND_KEYS_FILE": str(file),
            "SIGNAL_GATEWAY_ALLOWED_COMMANDS": "status, command/rebalance",
            "SIGNAL_GATEWAY_LEGACY_REPLIES": "0",
        }
    )

    assert settings.keys == BOTH
    assert settings.allowed_commands == ("status", "command/rebalance")
    assert settings.legacy_replies is False


def test_code_gives_bytes_or_text() -> None:
    assert PluginSettings(bot="demo", command_keys={"main": MAIN, "other": OTHER_TEXT}).keys == BOTH
    assert PluginSettings(bot="demo").keys == {}


def test_the_same_key_in_both_places_is_one(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"main:{MAIN_TEXT}\nother:{OTHER_TEXT}")

    assert command_keys(split_keys(f"main:{MAIN_TEXT}"), str(file)) == BOTH


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (MAIN_TEXT, "a key is spelled NAME:SECRET"),
        (f":{MAIN_TEXT}", "a key is spelled NAME:SECRET"),
        (f"a b:{MAIN_TEXT}", "a key is spelled NAME:SECRET"),
        (f"main:{MAIN_TEXT},main:{OTHER_TEXT}", "the key 'main' stands there twice"),
    ],
)
def test_what_is_no_list_of_keys_is_refused(text: str, problem: str) -> None:
    with pytest.raises(KeyRefused) as raised:
        split_keys(text)

    assert problem in str(raised.value)
    assert MAIN_TEXT not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"main": "c2hvcnQ="}, "command key 'main' has 5 bytes; it needs 32 or more"),
        ({"main": b"short"}, "command key 'main' has 5 bytes"),
        ({"main": "n0t base64 at all !!" * 3}, "the secret of the command key 'main' is not base64url"),
        ({"main": "\N{SNOWMAN}" * 44}, "the secret of the command key 'main' is not base64url"),
        ({"a:b": MAIN}, "a command key's name has only A-Z a-z 0-9 _ and -; it is 'a:b'"),
    ],
)
def test_a_key_that_cannot_be_used_is_named_and_not_shown(given: Any, problem: str) -> None:
    with pytest.raises(SettingsError) as raised:
        PluginSettings(bot="demo", command_keys=given)

    assert problem in str(raised.value)
    assert not any(str(secret) in str(raised.value) for secret in given.values())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file"),
        (b"\xff\xfe", "is no text"),
        (MAIN_TEXT.encode(), "a key is spelled NAME:SECRET"),
        (f"main:{OTHER_TEXT}".encode(), "the key 'main' is in"),
        (b"", "holds no key, and without one every command would be run"),
        (b"# none yet\n", "holds no key"),
    ],
)
def test_a_file_of_keys_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None, problem: str) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError) as raised:
        PluginSettings(bot="demo", command_keys={"main": MAIN}, command_keys_file=str(file))

    assert str(file) in str(raised.value)
    assert problem in str(raised.value)
    assert MAIN_TEXT not in str(raised.value)


def test_a_key_in_the_environment_that_has_no_name_is_not_shown() -> None:
    with pytest.raises(SettingsError) as raised:
        PluginSettings.from_env({"SIGNAL_GATEWAY_BOT": "demo", "SIGNAL_GATEWAY_COMMAND_KEYS": MAIN_TEXT})

    assert "SIGNAL_GATEWAY_COMMAND_KEYS is NAME:SECRET" in str(raised.value)
    assert MAIN_TEXT not in str(raised.value)


def test_no_key_is_shown_by_the_settings() -> None:
    settings = PluginSettings(bot="demo", command_keys={"main": MAIN_TEXT})

    assert MAIN_TEXT not in repr(settings)
    assert "secret" not in repr(settings.keys["main"])

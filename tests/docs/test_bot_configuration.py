"""What the bots page says of configuration and telemetry is what the plugin reads and does."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from bot_plugin import PluginSettings
from bot_plugin.settings import PREFIX, VARIABLES
from bot_plugin.settings_files import BESIDE, HUMMINGBOTS
from bot_plugin.telemetry import outbox, sender, spelling
from schemas.topics import TELEMETRY
from tests.docs.markdown import blocks, codes, keyed_rows, page

PAGE = page("docs/bots.md")
ROWS = keyed_rows(PAGE)
SECTIONS = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")}
IN_CODE_ONLY = {"threads", "backlog", "grace"}


def test_every_variable_of_a_bot_is_named_with_the_setting_that_it_is() -> None:
    named = {name: codes(cells[1])[0] for name, cells in ROWS.items() if name.startswith(PREFIX)}

    assert named == {f"{PREFIX}{variable}": setting for variable, setting in VARIABLES.items()}
    assert set(VARIABLES.values()) | IN_CODE_ONLY >= {field.name for field in fields(PluginSettings)}


def test_the_defaults_of_the_page_are_those_of_the_code() -> None:
    told_in_words = {"key", "state_dir"}
    cells = [cells for name, cells in ROWS.items() if name.startswith(PREFIX)]
    shown = {codes(setting)[0]: codes(default)[0] for _, setting, default, *_ in cells if codes(default)}
    defaults = {field.name: spelled(field.default) for field in fields(PluginSettings)}

    assert len(shown) > 10
    assert {name: defaults[name] for name in shown.keys() - told_in_words} == {
        name: text for name, text in shown.items() if name not in told_in_words
    }


def spelled(default: Any) -> str:
    """A default as a variable spells it."""
    if isinstance(default, tuple):
        return ",".join(default)
    return str(int(default)) if isinstance(default, bool) else str(default)


def test_the_page_names_what_hummingbot_knows() -> None:
    named = set(codes(SECTIONS["Configuration"]))

    assert set(HUMMINGBOTS) <= named
    assert {BESIDE, "instance_id", "mqtt_external_events", "mqtt_autostart"} <= named


def test_the_file_beside_hummingbots_is_read_as_the_page_shows_it(tmp_path: Path) -> None:
    [block] = [block for block in blocks(PAGE) if block.language == "yaml" and block.section == "Configuration"]
    (tmp_path / "conf_client.yml").write_text("instance_id: scalper\nmqtt_bridge: {mqtt_ssl: true}\n")
    (tmp_path / BESIDE).write_text(block.text)

    settings = PluginSettings.from_conf_client(tmp_path / "conf_client.yml")

    shown = yaml.safe_load(block.text)
    assert settings.ca == shown["mqtt_ca"]
    assert {feed.topic_filter: feed.handler for feed in settings.listen} == shown["listen"]


def test_every_channel_is_named() -> None:
    assert set(TELEMETRY) <= set(ROWS)


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    text = " ".join(SECTIONS["Telemetry"].split())
    batch = sender.BYTES_PER_SECOND * sender.TICK / 1024

    for promise in (
        f"every {sender.HEARTBEAT:.0f} s",
        f"At most {outbox.LIMIT:,} messages and {outbox.SIZE >> 20} MiB",
        f"ten a second, of at most {sender.BATCH} messages a channel and {batch:.2g} KiB",
        f"{sender.BYTES_PER_SECOND >> 10} KiB/s",
        f"at most {outbox.LARGEST >> 10} KiB, a text {spelling.MAX_TEXT:,} characters",
    ):
        assert promise in text, promise
    assert (sender.TICK, sender.NEWS, sender.FAREWELL) == (0.1, 1.0, 1.0)

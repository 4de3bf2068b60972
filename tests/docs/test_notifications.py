"""The notifications page names every kind, shows what can be configured, and its URLs are ones that apprise takes."""

from __future__ import annotations

import re

import pytest
import yaml

from gateway.config.schema import NotifySchema
from gateway.notify.channel import open_channel
from gateway.notify.problems import Kind
from gateway.telemetry.labels import PROBLEMS
from tests.docs.markdown import blocks, codes, keyed_rows, page, rows

PAGE = page("docs/notifications.md")
FILLED = {
    "BOT_TOKEN": "123456789:AAabcdefghijklmnopqrstuvwxyzABCDEFG",
    "CHAT_ID": "12345",
    "WEBHOOK_ID": "1234",
    "WEBHOOK_TOKEN": "abcd",
    "HOST": "hooks.example.com",
    "PORT": "8443",
    "PATH": "path",
}
TABLE = PAGE.partition("## Targets")[2].partition("\n## ")[0]
URLS = [url for cells in rows(TABLE) for url in codes(cells[1]) if "://" in url]


def test_the_page_names_every_kind_and_no_other() -> None:
    table = PAGE.partition("## Kinds")[2].partition("\n## ")[0]

    assert set(keyed_rows(table)) == {kind.value for kind in Kind}
    assert {kind.value for kind in Kind} == PROBLEMS


@pytest.mark.parametrize("url", URLS)
def test_a_url_of_the_page_is_one_that_apprise_takes(url: str) -> None:
    open_channel(re.sub("|".join(FILLED), lambda match: FILLED[match[0]], url))


def test_the_page_has_a_url_for_each_service_that_it_promises() -> None:
    assert {url.partition("://")[0] for url in URLS} >= {"tgram", "discord", "mailtos", "ntfy", "json"}


def test_what_the_page_shows_of_the_configuration_is_right() -> None:
    shown = [yaml.load(block.text, Loader=yaml.BaseLoader) for block in blocks(PAGE) if block.language == "yaml"]

    assert len(shown) == 2
    for document in shown:
        assert NotifySchema().load(document["notify"])["targets"]

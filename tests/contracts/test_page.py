"""The page shows every contract, needs nothing but itself, and lets nothing be written into it."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from html.parser import HTMLParser

from gateway.web.contracts import documents, page
from gateway.web.contracts.page import POLICY
from schemas.topics import Topics

DOCUMENTS = documents(Topics())
PAGE = page(DOCUMENTS).decode()
VOID = frozenset({"meta", "br"})


class Elements(HTMLParser):
    """What a page is made of, and whether every element ends where it should."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


ELEMENTS = Elements(PAGE)


def test_every_element_of_the_page_ends() -> None:
    assert ELEMENTS.open == []


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    assert not ELEMENTS.names & {"script", "link", "img", "iframe", "object", "form", "svg"}
    assert not {name for name, _ in ELEMENTS.attributes if name in {"src", "style"} or name.startswith("on")}
    assert "url(" not in PAGE
    assert "@import" not in PAGE


def test_every_link_of_the_page_leads_to_a_place_on_it() -> None:
    ids = [value for name, value in ELEMENTS.attributes if name == "id"]
    links = {value for name, value in ELEMENTS.attributes if name == "href"}

    assert len(ids) == len(set(ids))
    assert {link for link in links if link} <= {f"#{place}" for place in ids}


def test_the_page_shows_every_address_every_topic_and_every_schema() -> None:
    shown = set(re.findall(r"<code>([^<]+)</code>", PAGE))

    for name in ("openapi.json", "openapi-public.json"):
        assert set(DOCUMENTS[name]["paths"]) <= shown
    assert {channel["address"] for channel in DOCUMENTS["asyncapi.json"]["channels"].values()} <= shown
    for document in DOCUMENTS.values():
        for name in document.get("components", {}).get("schemas", {}):
            assert f'id="schema-{name}"' in PAGE


def test_the_policy_lets_the_pages_own_style_in_and_nothing_else() -> None:
    style = re.search(r"<style>(.*)</style>", PAGE, re.DOTALL)
    assert style
    digest = b64encode(hashlib.sha256(style[1].encode()).digest()).decode()

    assert POLICY.split("; ")[:2] == ["default-src 'none'", f"style-src 'sha256-{digest}'"]


def test_a_text_of_a_document_is_text_on_the_page() -> None:
    hostile = documents(Topics())
    hostile["asyncapi.json"]["info"]["description"] = "<script>alert(1)</script>"

    assert "<script>" not in page(hostile).decode()

"""Links lead somewhere, pictures can be read, and the project speaks of itself alone."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.docs.markdown import PAGES, ROOT, anchors, links

IMAGES = sorted((ROOT / "docs" / "images").glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_relative_link_and_image_leads_to_a_file_and_a_heading(path: Path) -> None:
    for link in links(path.read_text()):
        if re.match(r"https?:|mailto:", link):
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path

        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


def test_every_page_of_docs_is_linked_from_the_readme() -> None:
    linked = {link.partition("#")[0] for link in links((ROOT / "README.md").read_text())}

    assert {name_of(path) for path in PAGES if path.parent.name == "docs"} <= linked


@pytest.mark.parametrize("path", IMAGES, ids=name_of)
def test_every_picture_is_an_svg_that_says_what_it_shows_and_loads_nothing(path: Path) -> None:
    svg = ET.fromstring(path.read_text())

    assert svg.tag == f"{SVG}svg"
    assert svg.findtext(f"{SVG}title")
    assert svg.findtext(f"{SVG}desc")
    assert not [element.tag for element in svg.iter() if element.tag in {f"{SVG}script", f"{SVG}image"}]


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_no_page_installs_by_the_bare_name_while_there_is_no_release(path: Path) -> None:
    installs = re.findall(r"pip install ([^`\n]+)", path.read_text())

    assert not [install for install in installs if "signal-gateway" in install or "signal_gateway" in install]

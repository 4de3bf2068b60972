"""What the tests read out of the documentation's pages: code blocks, table rows, links, headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "SECURITY.md",
    ROOT / "examples" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "deploy").glob("*/README.md")),
)

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, the section that it is in, and a quotation right behind it."""

    language: str
    text: str
    section: str
    quotation: str


def page(name: str) -> str:
    """The text of a page, by its path from the root."""
    return (ROOT / name).read_text(encoding="utf-8")


def prose(text: str) -> str:
    """A page without its code blocks."""
    return _FENCE.sub("", text)


def blocks(text: str) -> Iterator[Block]:
    """Every fenced block of a page, without the indentation that a list gives it."""
    for match in _FENCE.finditer(text):
        section = [line[3:] for line in text[: match.start()].splitlines() if line.startswith("## ")]
        quotation = re.match(r"\n*> `(.+)`\n", text[match.end() :] + "\n")
        indent = len(match[0]) - len(match[0].lstrip(" "))
        lines = [line[indent:] for line in match[2].splitlines()]
        yield Block(match[1], "\n".join(lines), section[-1] if section else "", quotation[1] if quotation else "")


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every table row, headers included."""
    for line in prose(text).splitlines():
        if line.startswith("|") and not set(line) <= set("|-: "):
            yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def codes(cell: str) -> list[str]:
    """What stands between backticks."""
    return _CODE.findall(cell)


def keyed_rows(text: str) -> dict[str, list[str]]:
    """Table rows by each name in backticks of their first cell."""
    return {name: cells for cells in rows(text) for name in codes(cells[0])}


def links(text: str) -> list[str]:
    """The targets of links and images."""
    return _LINK.findall(prose(text))


def anchors(text: str) -> set[str]:
    """The anchors that headings make."""
    titles = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(prose(text)))
    return {title.strip().replace(" ", "-") for title in titles}

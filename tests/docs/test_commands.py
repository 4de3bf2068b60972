"""Every command line of the documentation can be typed, and every command is documented."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gateway.cli.failure import Exit
from gateway.cli.main import COMMANDS, cli
from tests.docs.markdown import PAGES, ROOT, blocks, codes, page, prose, rows

EVERYWHERE = {"--config", "--data", "--json", "--help", "-h"}
TO_BOTS = {"--timeout"}
"""What every command to a bot takes: told once, at the head of their sections."""


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


ALL = dict(commands(cli))


def section(name: str) -> str:
    """What the command line page says of a command, its heading first."""
    found = re.search(rf"^## `signal-gateway {name}[ `].*?(?=^## |\Z)", page("docs/cli.md"), re.MULTILINE | re.DOTALL)
    assert found, f"docs/cli.md has no section for {name}"
    return found[0]


@pytest.mark.parametrize("name", ALL)
def test_the_page_has_a_section_for_every_command_with_its_arguments_and_options(name: str) -> None:
    text = section(name)
    heading = text.splitlines()[0]
    for parameter in ALL[name].params:
        if isinstance(parameter, click.Argument):
            assert parameter.make_metavar(click.Context(ALL[name])).strip("[].") in heading
        else:
            assert set(parameter.opts) <= EVERYWHERE | TO_BOTS or any(option in text for option in parameter.opts), (
                parameter.opts
            )


def test_the_page_documents_no_command_that_is_not_there() -> None:
    headings = re.findall(r"^## `signal-gateway ([a-z -]+?)(?: [A-Z\[].*)?`$", page("docs/cli.md"), re.MULTILINE)

    assert sorted(headings) == sorted(ALL)
    assert {name.split()[0] for name in headings} == set(COMMANDS)


def test_the_page_names_every_exit_code_and_what_every_command_takes() -> None:
    text = page("docs/cli.md")

    assert {str(int(code)) for code in Exit} == {row[0] for row in rows(text)} & set(map(str, range(256)))
    assert not [option for option in EVERYWHERE if option not in text]
    assert all(option in text.partition("\n## Commands to bots")[2].partition("\n## ")[0] for option in TO_BOTS)


def shell_lines() -> Iterator[tuple[str, str]]:
    """Every line of shell in the pages, and every inline command."""
    for path in PAGES:
        text = path.read_text()
        lines = [line for block in blocks(text) if block.language == "sh" for line in block.text.splitlines()]
        inline = [code for code in codes(prose(text)) if re.match(r"(\.venv/bin/)?signal-gateway [a-z]", code)]
        for line in (*lines, *inline):
            yield path.name, line


LINES = [
    (name, line) for name, line in shell_lines() if re.search(r"(^|(?<!helm install)[ /])signal-gateway [a-z]", line)
]


@pytest.mark.parametrize(("name", "line"), LINES, ids=[f"{name}: {line[-60:]}" for name, line in LINES])
def test_a_command_line_of_the_documentation_is_understood(name: str, line: str) -> None:
    words = shlex.split(line.replace("|-", "").partition("#")[0])
    start = next(index for index, word in enumerate(words) if word.rpartition("/")[2] == "signal-gateway")
    command: click.Command = cli
    rest = [word for word in words[start + 1 :] if word != "…"]
    while isinstance(command, click.Group) and rest:
        found = command.get_command(click.Context(command), rest.pop(0))
        assert found is not None, line
        command = found
    if isinstance(command, click.Group) or not rest:
        return

    command.make_context("shown", rest)


def test_the_pages_show_command_lines() -> None:
    assert len(LINES) > 20


def test_every_make_target_of_the_documentation_is_one() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for path in PAGES for name in re.findall(r"[`\n]make ([a-z-]+)[`\n]", path.read_text())}

    assert {"run", "test"} <= named <= targets


def test_every_file_that_a_command_line_runs_is_there() -> None:
    files = {Path(word) for _, line in shell_lines() for word in line.split() if word.startswith("examples/")}

    assert files
    assert not [file for file in files if not (ROOT / file).exists()]

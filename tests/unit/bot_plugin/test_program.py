"""How a program ends: with one line where its user can mend it, with a traceback where its author must."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bot_plugin import LinkRefused, NameTaken, SettingsError, run_program
from tests.docs.markdown import ROOT, blocks, page

PROGRAMS = {
    f"{name}: {block.section}": block.text
    for name in ("README.md", "docs/bots.md", "docs/commands.md", "docs/clients.md")
    for block in blocks(page(name))
    if block.language == "python" and "run_program(main)" in block.text
}


@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_of_the_pages_tells_wrong_settings_in_one_line(text: str, tmp_path: Path) -> None:
    """The documented forms, with an environment that a newcomer may have: no traceback, and exit code 1."""
    program = tmp_path / "program.py"
    program.write_text(text.replace('ClientSettings(host="127.0.0.1", username="desk", password="a password")',
                                    "ClientSettings.from_env()"))  # fmt: skip
    given = {"PYTHONPATH": str(ROOT), "SIGNAL_GATEWAY_MQTT_PORT": "none", "SIGNAL_GATEWAY_BOT": "demo"}
    ended = subprocess.run(
        [sys.executable, program], cwd=tmp_path, env=given, capture_output=True, text=True, timeout=60, check=False
    )

    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line == "the environment cannot be used: SIGNAL_GATEWAY_MQTT_PORT is a number, such as 1883, not 'none'"


@pytest.mark.parametrize("error", [SettingsError(["a", "b"]), NameTaken("demo", "x"), LinkRefused("wrong password")])
@pytest.mark.parametrize("awaited", [False, True])
def test_what_the_user_can_mend_ends_the_program_with_its_words(error: Exception, *, awaited: bool) -> None:
    """Settings, name and login, raised by a plain main or by a coroutine function."""

    def main() -> None:
        raise error

    async def amain() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        run_program(amain if awaited else main)

    assert ended.value.code == str(error)


@pytest.mark.parametrize("error", [ValueError("theirs"), OSError("disk"), ConnectionError("lost")])
def test_an_error_of_ones_own_is_raised_as_it_is(error: Exception) -> None:
    """Nobody's bug is hidden."""

    async def main() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        run_program(main)

    assert raised.value is error


def test_ctrl_c_ends_a_program_as_in_a_shell() -> None:
    """No traceback, and the code that shells give it."""

    def main() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        run_program(main)

    assert ended.value.code == 130


def test_a_main_that_returns_ends_nothing() -> None:
    """The program goes on."""
    done: list[str] = []
    run_program(lambda: done.append("plain"))

    async def main() -> None:
        done.append("awaited")

    run_program(main)

    assert done == ["plain", "awaited"]

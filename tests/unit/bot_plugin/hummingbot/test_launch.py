"""How the launcher reads what it is asked for, and what it says where it cannot start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bot_plugin import PluginSettings
from bot_plugin.errors import LinkRefused
from bot_plugin.hummingbot.launch import Options, options, refused, standing
from tests.docs.markdown import ROOT

DOCKER = {"CONFIG_FILE_NAME": "v1.yml", "SCRIPT_CONFIG": "v2.yml", "CONFIG_PASSWORD": "s3cret", "HEADLESS_MODE": "true"}


def test_the_environment_of_the_docker_image_is_read() -> None:
    """Each variable is one option; an empty one is as good as none."""
    assert options([], DOCKER) == Options(v1="v1.yml", v2="v2.yml", password="s3cret", headless=True)
    assert options([], dict.fromkeys(DOCKER, "")) == Options()


def test_the_command_line_wins() -> None:
    """Also where it says that there is to be a screen."""
    given = ["--v2", "a.yml", "-f", "b.yml", "-p", "other", "--headless", "false", "--root", "hb"]

    assert options([*given, "--auto-set-permissions", "1:1"], DOCKER) == Options(
        v2="a.yml", v1="b.yml", password="other", headless=False, root=Path("hb"), permissions="1:1"
    )
    assert options(["--headless"], {}).headless


@pytest.mark.parametrize(
    ("reached", "words"),
    [
        (True, "ready as my_bot on 10.0.0.1:1883"),
        (False, "started as my_bot, but the broker at 10.0.0.1:1883 is not reached yet: the plugin goes on trying"),
    ],
)
def test_a_start_says_whether_the_broker_is_reached(*, reached: bool, words: str) -> None:
    """Ready is what it is not, where nothing can come."""
    assert standing(PluginSettings(bot="my_bot", host="10.0.0.1"), reached=reached) == words


def test_a_refusal_names_the_file_of_the_login_and_what_makes_a_new_one() -> None:
    """After the broker's own words, and without the password."""
    words = refused(LinkRefused("not authorized."), PluginSettings(bot="my_bot", username="x", password="s3cret"))

    assert words == (
        "not authorized. The login stands in mqtt_bridge of conf/conf_client.yml; where it is lost, signal-gateway "
        "bots rotate my_bot prints a new one"
    )


def test_the_password_is_not_shown() -> None:
    """Options may stand in a traceback."""
    assert "s3cret" not in repr(options([], DOCKER))


def test_a_switch_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With what it may be."""
    with pytest.raises(SystemExit):
        options(["--headless", "maybe"], {})
    assert "true or false, not 'maybe'" in capsys.readouterr().err


@pytest.mark.parametrize("misspelled", ["--headles", "--v", "--config-pass=x"])
def test_a_misspelled_option_is_refused_and_no_abbreviation(
    misspelled: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is added later would change what it means."""
    with pytest.raises(SystemExit):
        options([misspelled], {})
    assert f"unrecognized arguments: {misspelled}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no password: give --config-password, or set CONFIG_PASSWORD"),
        (("-p", "x"), "Hummingbot is not installed in this Python environment: install signal-gateway into"),
    ],
)
def test_what_its_user_can_mend_ends_it_with_one_line(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    """Without a terminal to ask, and without a Hummingbot to start."""
    command = [sys.executable, "-P", "-m", "bot_plugin.hummingbot", "--headless", *arguments]
    environment = {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(words)
    assert ended.stderr.count("\n") == 1

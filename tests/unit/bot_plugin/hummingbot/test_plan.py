"""What a request to start means, over what the folders hold."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_plugin.commands import CommandFailed
from bot_plugin.hummingbot.terms.plan import Imported, Library, Plan, Shelf, file_name, plan, script_name
from schemas.command import Start


class Folders:
    """Files of a Hummingbot, on the disk; what a YAML file holds is in ``held``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.held: dict[Path, Mapping[str, Any]] = {}
        for part in ("scripts", *(f"conf/{shelf}" for shelf in Shelf)):
            (folder / part).mkdir(parents=True)

    def script(self, name: str) -> None:
        (self.folder / "scripts" / f"{name}.py").touch()

    def conf(self, shelf: Shelf, name: str, **values: Any) -> None:
        path = self.folder / "conf" / shelf / name
        path.touch()
        self.held[path] = values

    @property
    def library(self) -> Library:
        return Library(
            script=lambda name: self.folder / "scripts" / f"{name}.py",
            conf=lambda shelf, name: self.folder / "conf" / shelf / name,
            read=lambda path: self.held[path],
        )


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    folders = Folders(tmp_path)
    folders.script("pmm")
    folders.conf(Shelf.SCRIPTS, "pmm_1.yml", script_file_name="pmm.py")
    return folders


@pytest.mark.parametrize("conf", ["pmm_1", "pmm_1.yml", " pmm_1.yml "])
@pytest.mark.parametrize("script", [None, "pmm", "pmm.py"])
def test_a_scripts_configuration_names_its_script(folders: Folders, script: str | None, conf: str) -> None:
    """With or without suffixes, and whether the script is named too or not."""
    assert plan(Start(script=script, conf=conf), folders.library, None) == Plan(strategy="pmm", conf="pmm_1.yml")


def test_a_script_alone_runs_with_its_defaults(folders: Folders) -> None:
    """No configuration is looked for, though one may be there."""
    assert plan(Start(script="pmm"), folders.library, None) == Plan(strategy="pmm")


def test_a_configuration_without_its_scripts_name_needs_the_script(folders: Folders) -> None:
    """Which script is meant cannot be guessed."""
    folders.conf(Shelf.SCRIPTS, "bare.yml", size=1)

    assert plan(Start(script="pmm", conf="bare"), folders.library, None) == Plan(strategy="pmm", conf="bare.yml")
    with pytest.raises(
        CommandFailed, match=r"bare\.yml has no script_file_name: write it there, or name the script too"
    ):
        plan(Start(conf="bare"), folders.library, None)


@pytest.mark.parametrize("loader", ["v2_with_controllers", "signal_controllers"])
def test_a_controller_is_run_by_a_script_that_is_there(folders: Folders, loader: str) -> None:
    """The configuration of that script is generated; dots in its name would cut the database's."""
    folders.conf(Shelf.CONTROLLERS, "conf_generic.lp_1.yml", id="lp_1")
    folders.script(loader)

    wanted = Plan(strategy=loader, conf="conf_generic_lp_1.yml", generate=("conf_generic.lp_1.yml",))
    assert plan(Start(conf="conf_generic.lp_1.yml"), folders.library, None) == wanted
    assert wanted.words == f"{loader} with conf_generic.lp_1.yml"


def test_a_controller_without_a_script_that_runs_it_is_refused(folders: Folders) -> None:
    """The words say which file is missing, and where to get it."""
    folders.conf(Shelf.CONTROLLERS, "lp.yml", id="lp")
    with pytest.raises(CommandFailed, match=r"no file .*/scripts/v2_with_controllers\.py; take it from Hummingbot's"):
        plan(Start(conf="lp"), folders.library, None)


def test_a_configuration_of_hummingbots_own_strategies_is_loaded_first(folders: Folders) -> None:
    """As if it had been imported before."""
    folders.conf(Shelf.STRATEGIES, "mm.yml", strategy="pure_market_making")

    assert plan(Start(conf="mm"), folders.library, None) == Plan(
        strategy="pure_market_making", conf="mm.yml", own=True, load=True
    )


def test_without_names_it_is_what_was_imported(folders: Folders) -> None:
    """A script that the UI chose counts too."""
    own, script = Imported(strategy="pure_market_making", file="mm"), Imported(strategy="pmm", file="pmm_1.yml")

    assert plan(Start(), folders.library, own) == Plan(strategy="pure_market_making", conf="mm", own=True)
    assert plan(Start(), folders.library, script) == Plan(strategy="pmm", conf="pmm_1.yml")
    with pytest.raises(CommandFailed, match="nothing is imported: import a strategy's configuration first, or start"):
        plan(Start(), folders.library, None)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Start(script="other"), "there is no script 'other': no file .*/scripts/other.py"),
        (Start(script="pmm", conf="x"), "there is no configuration 'x.yml' of scripts: no file .*/conf/scripts/x.yml"),
        (Start(conf="x"), "there is no configuration 'x.yml': not in .*/scripts/x.yml, .*/strategies/x.yml"),
        (Start(script="other", conf="pmm_1"), "there is no script 'other'"),
    ],
)
def test_a_missing_file_is_named_with_its_path(folders: Folders, wanted: Start, words: str) -> None:
    """Whoever asked can put it there."""
    with pytest.raises(CommandFailed, match=words):
        plan(wanted, folders.library, None)


def test_a_script_and_another_scripts_configuration_are_refused(folders: Folders) -> None:
    """One of the two names is a slip, and nobody knows which."""
    folders.script("other")
    with pytest.raises(CommandFailed, match=r"pmm_1\.yml is the configuration of pmm\.py, not of other\.py"):
        plan(Start(script="other", conf="pmm_1"), folders.library, None)


@given(st.text(alphabet=st.sampled_from("ab./\\\0\n~ -_yml:é"), max_size=20))
def test_no_name_leaves_its_folder(given_name: str) -> None:
    """Names come from the network: each is a plain file of its folder, or refused."""
    folder = Path("/conf/scripts")
    for read, suffix in ((file_name, ""), (script_name, ".py")):
        with suppress(CommandFailed):
            path = folder / f"{read(given_name)}{suffix}"
            assert path.parent == folder
            assert path.resolve().parent == folder
            assert path.name.endswith((".yml", ".yaml", ".py"))

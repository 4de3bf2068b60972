"""What is given away: the wheel, its dependencies, and files that stand on any machine."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = ("bot_plugin", "gateway", "schemas")
MADE = re.compile(r"(^|/)(\.(?!ci/|git[a-z])|__pycache__|[^/]*\.egg-info)|^(data|build|dist)/")
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def names(requirements: list[str]) -> list[str]:
    return sorted(re.split(r"[^A-Za-z0-9-]", requirement)[0] for requirement in requirements)


def files(*, untracked: bool = False) -> list[Path]:
    """The repository's files; where this is no clone, all that are not hidden or made."""
    others = ["--others", "--exclude-standard"] if untracked else []
    command = ["git", "ls-files", "-z", "--cached", *others]
    try:
        listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        found = [path.relative_to(ROOT) for path in ROOT.rglob("*")]
        names = [str(path) for path in found if not MADE.search(str(path))]
    else:
        names = listing.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy, as building leaves files behind."""
    copy, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for path in files(untracked=True):
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (copy / "README.md").touch()
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-W", "ignore", "-c", build, out], cwd=copy, check=True, capture_output=True)
    return zipfile.ZipFile(next(out.glob("*.whl")))


def test_the_wheel_holds_the_three_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_the_wheel_holds_every_module_and_says_that_it_is_typed(wheel: zipfile.ZipFile) -> None:
    modules = {str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert modules | {f"{package}/py.typed" for package in PACKAGES} <= set(wheel.namelist())


def test_the_wheel_carries_its_licence(wheel: zipfile.ZipFile) -> None:
    assert any(name.endswith("/licenses/LICENSE") for name in wheel.namelist())


def test_the_base_install_needs_three_libraries() -> None:
    assert names(PROJECT["project"]["dependencies"]) == ["PyJWT", "gmqtt", "marshmallow"]


def test_a_lock_pins_every_package_with_its_hashes_and_names_no_place() -> None:
    assert len(LOCKS) == 2
    for lock in LOCKS:
        text = lock.read_text()
        entries = re.split(r"(?m)^(?=[a-z0-9])", text)[1:]
        assert entries
        assert [
            entry for entry in entries if not re.match(r"[a-z0-9.-]+==[^ ]+ (; .+ )?\\\n +--hash=sha256:", entry)
        ] == []
        assert not re.search(r"(?m)^[^#\n]*(://|--find-links|--index| @ )", text)


def test_the_locks_agree_and_hold_what_the_project_asks_for() -> None:
    server, dev = (dict(re.findall(r"(?m)^([a-z0-9.-]+)==(\S+)", (ROOT / f"requirements/{name}.txt").read_text()))
                   for name in ("server", "dev"))  # fmt: skip
    assert server.items() <= dev.items()
    wanted = PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["server"]
    assert {name.lower() for name in names(wanted)} <= server.keys()
    assert {name.lower() for name in names(PROJECT["dependency-groups"]["dev"])} <= dev.keys()


def test_no_file_names_a_package_registry_or_a_place_on_one_machine() -> None:
    registries = ["pypi" + ".org", "python" + "hosted", "npm" + "js", "proxy.golang" + ".org", "crates" + ".io"]
    machines = ["../" + "shared", "/" + "work/", "/" + "root/", "/tmp/" + "w/", "/home/" + r"\w+/"]
    machines += ["/" + "opt/(?!emqx/)"]  # where EMQX is in its image
    forbidden = re.compile("|".join([*map(re.escape, registries), *(rf"(?<![\w.~}}])(?:{m})" for m in machines)]))
    found = []
    for path in files():
        text = path.read_bytes().decode(errors="replace")
        found += [f"{path.relative_to(ROOT)}: {hit.group()}" for hit in forbidden.finditer(text)]
    assert found == []

"""Secret files: whole or not at all, one writer at a time, for their owner only."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.config.folder import Folder, _open_to_others, find_folder
from gateway.config.keyring import KeyRing, rotate
from gateway.config.store import read_json, write
from gateway.errors import Misconfigured


def test_a_new_file_is_private_and_a_replaced_one_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    write(file, "one")
    assert file.stat().st_mode & 0o777 == 0o600

    file.chmod(0o640)
    write(file, "two")
    assert file.stat().st_mode & 0o777 == 0o640
    assert file.read_text() == "two"


def test_a_failed_write_leaves_the_old_content_and_no_draft(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    write(file, "old")

    with pytest.raises(UnicodeEncodeError):
        write(file, "\ud800")

    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_writers_at_one_time_lose_nothing_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with ThreadPoolExecutor(max_workers=12) as pool:
        tokens = list(pool.map(lambda index: rotate(path, f"source{index}", now=1), range(12)))

    ring = KeyRing(path, now=lambda: 1)
    assert all(ring.holds(f"source{index}", token) for index, token in enumerate(tokens))


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000])
def test_a_damaged_json_file_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)

    with pytest.raises(Misconfigured, match=r"x\.json"):
        read_json(file)


def test_what_others_can_read_is_warned_about(tmp_path: Path) -> None:
    folder = Folder(tmp_path, tmp_path / "c.yml")
    folder.secrets.mkdir(mode=0o700)
    write(folder.keys, "{}")
    write(folder.api_token, "t")
    assert list(folder.open_to_others()) == []

    folder.api_token.chmod(0o644)
    folder.secrets.chmod(0o755)

    assert [warning.partition(": ")[0] for warning in folder.open_to_others()] == [
        str(folder.secrets),
        str(folder.api_token),
    ]


@pytest.mark.parametrize(
    ("owner", "user", "mode", "open_"),
    [
        (0, 10001, 0o440, False),
        (0, 10001, 0o460, True),
        (0, 10001, 0o444, True),
        (0, 0, 0o440, True),
        (10001, 10001, 0o440, True),
        (10001, 10001, 0o400, False),
    ],
)
def test_root_may_give_a_secret_to_the_group_of_the_gateway(
    owner: int, user: int, mode: int, *, open_: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kubernetes mounts Secrets as root's, for the pod's group to read: that is no warning; all else still is."""
    monkeypatch.setattr("os.geteuid", lambda: user)

    assert _open_to_others(os.stat_result((0o100000 | mode, 0, 0, 1, owner, 10001, 0, 0, 0, 0))) is open_


def test_the_folder_is_the_given_one_else_the_variables_else_the_configurations_else_data() -> None:
    environ = {"SIGNAL_GATEWAY_DATA": "/env"}

    assert find_folder(None, "/given", environ).config == Path("/given/signal-gateway.yml")
    assert find_folder(None, None, environ).root == Path("/env")
    assert find_folder("/etc/x.yml", None, {}) == Folder(Path("/etc"), Path("/etc/x.yml"))
    assert find_folder("/etc/x.yml", None, environ) == Folder(Path("/env"), Path("/etc/x.yml"))
    assert find_folder(None, None, {}).root == Path("data")

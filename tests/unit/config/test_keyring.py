"""The keyring: the right token of the right source opens, at once after a rotation, and no time tells them apart."""

from __future__ import annotations

import hmac
from pathlib import Path

import pytest

from gateway.config import keyring
from gateway.config.keyring import KeyRing, new_token, read_keys, rotate
from gateway.errors import Misconfigured

NOW = 1_795_352_101_000_000
MINUTE = 60_000_000


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_token_opens_its_own_source_only(path: Path, clock: Clock) -> None:
    token = rotate(path, "tv", now=NOW)
    rotate(path, "other", now=NOW)
    ring = KeyRing(path, now=clock)

    assert ring.holds("tv", token)
    assert not ring.holds("other", token)
    assert not ring.holds("unknown", token)
    assert not ring.holds("tv", token + "x")
    assert not ring.holds("tv", "")
    assert not ring.holds("tv", "\ud800")


def test_a_token_has_the_prefix_that_scanners_know_and_32_random_bytes() -> None:
    assert new_token().startswith("sg_")
    assert len(new_token()) == 46
    assert new_token() != new_token()


def test_the_file_holds_no_token_and_is_private(path: Path) -> None:
    token = rotate(path, "tv", now=NOW)

    assert token not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_rotation_acts_at_once_on_a_ring_that_is_in_use(path: Path, clock: Clock) -> None:
    old = rotate(path, "tv", now=NOW)
    ring = KeyRing(path, now=clock)
    assert ring.holds("tv", old)

    new = rotate(path, "tv", now=NOW)

    assert ring.holds("tv", new)
    assert not ring.holds("tv", old)


def test_a_kept_token_opens_until_its_end(path: Path, clock: Clock) -> None:
    old = rotate(path, "tv", now=NOW)
    new = rotate(path, "tv", now=NOW, keep=60)
    ring = KeyRing(path, now=clock)

    assert ring.holds("tv", old)
    clock.now = NOW + MINUTE
    assert not ring.holds("tv", old)
    assert ring.holds("tv", new)


def test_keeping_again_does_not_make_an_ending_token_last_longer(path: Path) -> None:
    rotate(path, "tv", now=NOW)
    rotate(path, "tv", now=NOW, keep=60)
    rotate(path, "tv", now=NOW, keep=3600)

    ends = [key.expires for key in read_keys(path)["tv"]]
    assert ends == [NOW + MINUTE, NOW + 60 * MINUTE, None]


def test_a_minted_token_opens_its_source_once_and_soon(path: Path, clock: Clock) -> None:
    ring = KeyRing(path, now=clock)
    token, late = ring.mint("tv"), ring.mint("tv", seconds=1)

    assert not ring.holds("other", token)
    assert ring.holds("tv", token)
    assert not ring.holds("tv", token)
    clock.now += 1_000_000
    assert not ring.holds("tv", late)


def test_every_check_compares_as_often_whatever_the_source_and_the_secret(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = rotate(path, "tv", now=NOW)
    for _ in range(5):
        rotate(path, "busy", now=NOW, keep=60)
    ring = KeyRing(path, now=clock)
    compared: list[int] = []
    compare_digest = hmac.compare_digest

    def counting(one: bytes, other: bytes) -> bool:
        compared[-1] += 1
        return compare_digest(one, other)

    monkeypatch.setattr(keyring.hmac, "compare_digest", counting)
    for source, secret in (("tv", right), ("tv", "wrong"), ("busy", "wrong"), ("unknown", "wrong"), ("tv", "")):
        compared.append(0)
        ring.holds(source, secret)

    assert compared == [5] * 5


def test_a_damaged_file_keeps_the_keys_that_were_read_and_says_so(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    token = rotate(path, "tv", now=NOW)
    ring = KeyRing(path, now=clock)
    assert ring.holds("tv", token)

    path.write_text('{"sources": {"tv": [{"sha256": 1}]}}')

    assert ring.holds("tv", token)
    assert "is damaged" in caplog.text
    with pytest.raises(Misconfigured, match="restore it"):
        read_keys(path)


def test_a_removed_file_opens_nothing(path: Path, clock: Clock) -> None:
    token = rotate(path, "tv", now=NOW)
    ring = KeyRing(path, now=clock)
    assert ring.holds("tv", token)

    path.unlink()

    assert not ring.holds("tv", token)

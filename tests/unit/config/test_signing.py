"""Standard Webhooks: what a secret of a source signed is let in, once it is about now, and nothing else is."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from gateway.config import keyring
from gateway.config.keyring import KeyRing, read_keys, rotate
from gateway.config.signing import new_secret, signs
from gateway.errors import Misconfigured
from gateway.intake import Signature

NOW = 1_795_352_101_000_000
BODY = b'{"pair": "BTC-USDT"}'
SECRET = new_secret()


def signed(secret: str, body: bytes = BODY, *, id_: str = "msg_1", at: int = NOW) -> Signature:
    """What the library's own sender would say."""
    seconds = at // 1_000_000
    made = Webhook(secret).sign(id_, datetime.fromtimestamp(seconds, UTC), body.decode())
    return Signature(id=id_, timestamp=str(seconds), signatures=made)


def test_a_signature_of_the_library_is_let_in() -> None:
    """What the standardwebhooks library signs, a gateway takes, also among other signatures."""
    made = signed(SECRET)

    assert signs(SECRET, made, BODY, now=NOW)
    assert signs(SECRET, replace(made, signatures=f"v1a,xx v1,AAAA {made.signatures}"), BODY, now=NOW)
    assert not signs(new_secret(), made, BODY, now=NOW)
    assert not signs(SECRET, made, BODY + b" ", now=NOW)
    assert not signs(SECRET, replace(made, id="msg_2"), BODY, now=NOW)


@pytest.mark.parametrize(("seconds", "good"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_a_signature_is_of_about_now(seconds: int, good: bool) -> None:  # noqa: FBT001
    """A signature whose time is more than five minutes off, either way, is not taken: it may be a replay."""
    assert signs(SECRET, signed(SECRET, at=NOW + seconds * 1_000_000), BODY, now=NOW) is good


@pytest.mark.parametrize(
    "change",
    [
        {"id": ""},
        {"id": "a b"},
        {"id": "\udcff"},
        {"id": "x" * 256},
        {"timestamp": ""},
        {"timestamp": "0"},
        {"timestamp": "1e9"},
        {"timestamp": "9" * 400},
        {"timestamp": f"0{NOW // 1_000_000}"},
        {"timestamp": f"{NOW // 1_000_000}.0"},
        {"signatures": "v1"},
        {"signatures": "v1,"},
        {"signatures": ","},
        {"signatures": "v1,\udcff\u20ac"},
        {"signatures": " " * 50_000},
    ],
)
def test_what_is_no_signature_is_refused_in_peace(change: dict[str, str]) -> None:
    """Headers that nobody's library writes open nothing, and break nothing."""
    assert not signs(SECRET, replace(signed(SECRET), **change), BODY, now=NOW)


@given(st.text(), st.text(), st.text(), st.binary())
def test_no_guess_opens_anything(id_: str, timestamp: str, signatures: str, body: bytes) -> None:
    """Whatever the headers and the body are, nobody gets in without the secret."""
    assert not signs(SECRET, Signature(id=id_, timestamp=timestamp, signatures=signatures), body, now=NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_secret_opens_its_own_source_only(path: Path) -> None:
    """A source's signing secret signs for it and for no other, and is no token."""
    secret = rotate(path, "ml", now=NOW, signing=True)
    token = rotate(path, "ml", now=NOW)
    rotate(path, "other", now=NOW, signing=True)
    ring = KeyRing(path, now=lambda: NOW)

    assert ring.signed("ml", signed(secret), BODY)
    assert not ring.signed("other", signed(secret), BODY)
    assert not ring.signed("nobody", signed(secret), BODY)
    assert ring.holds("ml", token)
    assert not ring.holds("ml", secret)
    assert not ring.holds("ml", "")


def test_several_secrets_sign_while_one_replaces_another(path: Path) -> None:
    """Rotated with a time to keep, the old secret signs until then; the source's tokens stay as they are."""
    token = rotate(path, "ml", now=NOW)
    old = rotate(path, "ml", now=NOW, signing=True)
    new = rotate(path, "ml", now=NOW, keep=60, signing=True)
    now = [NOW]
    ring = KeyRing(path, now=lambda: now[0])

    assert ring.signed("ml", signed(old), BODY)
    assert ring.signed("ml", signed(new), BODY)
    now[0] += 60_000_000
    assert not ring.signed("ml", signed(old), BODY)
    assert ring.signed("ml", signed(new), BODY)
    assert ring.holds("ml", token)

    newest = rotate(path, "ml", now=now[0], signing=True)
    assert not ring.signed("ml", signed(new), BODY)
    assert ring.signed("ml", signed(newest), BODY)
    assert ring.holds("ml", token)
    assert not KeyRing(path, now=lambda: NOW).holds("ml", rotate(path, "x", now=NOW))


def test_a_new_token_leaves_the_secrets(path: Path) -> None:
    """Rotating a token ends older tokens, not the signing secret."""
    secret = rotate(path, "ml", now=NOW, signing=True)
    old, new = rotate(path, "ml", now=NOW), rotate(path, "ml", now=NOW)
    ring = KeyRing(path, now=lambda: NOW)

    assert ring.signed("ml", signed(secret), BODY)
    assert ring.holds("ml", new)
    assert not ring.holds("ml", old)


def test_the_work_is_the_same_for_any_source(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source without secrets, an unknown one and one with several cost as many comparisons."""
    for _ in range(3):
        rotate(path, "many", now=NOW, keep=60, signing=True)
    rotate(path, "none", now=NOW)
    ring, counted = KeyRing(path, now=lambda: NOW), []
    monkeypatch.setattr(keyring, "signs", lambda *_, **__: counted.append(1) or False)
    counts = []
    for source in ("many", "none", "unknown"):
        ring.signed(source, signed(SECRET), BODY)
        counts.append(len(counted))
        counted.clear()

    assert counts == [3, 3, 3]


def test_the_file_is_private_and_the_secret_has_no_repr(path: Path) -> None:
    """The secret is in one file that only its owner reads, and shows up nowhere else."""
    secret = rotate(path, "ml", now=NOW, signing=True)

    assert json.loads(path.read_text())["sources"]["ml"][0]["signing"] == secret
    assert path.stat().st_mode & 0o777 == 0o600
    assert secret not in repr(read_keys(path))
    assert signed(secret).signatures not in repr(signed(secret))


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!", "whsec_c2hvcnQ=", "c2hvcnQ=", 7, [], "whsec_\u00e9" * 40])
def test_a_damaged_secret_is_named_and_the_keys_before_it_stay(path: Path, secret: object) -> None:
    """A file that somebody broke is reported when it is read; who had a key keeps it."""
    good = rotate(path, "ml", now=NOW, signing=True)
    ring = KeyRing(path, now=lambda: NOW)
    assert ring.signed("ml", signed(good), BODY)
    document = json.loads(path.read_text())
    document["sources"]["ml"].append({"signing": secret, "created": "2026-11-22T10:15:01Z"})
    path.write_text(json.dumps(document))

    with pytest.raises(Misconfigured):
        read_keys(path)
    assert ring.signed("ml", signed(good), BODY)

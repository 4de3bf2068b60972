"""The files of a TLS connection: each that cannot be used is named, and why, and nobody is asked for a passphrase."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from bot_plugin import PluginSettings, SettingsError
from bot_plugin.tls import tls_context
from tests.certificates import Authority, Signed

Given = dict[str, str | None]


@pytest.fixture(scope="module")
def demo(authority: Authority) -> Signed:
    return authority.sign("demo")


@pytest.fixture
def text(tmp_path: Path) -> str:
    file = tmp_path / "text.pem"
    file.write_text("no certificate\n")
    return str(file)


def test_a_certificate_its_key_and_its_authority_are_used(authority: Authority, demo: Signed) -> None:
    context = tls_context(ca=authority.ca, cert=demo.cert, key=demo.key)

    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert len(context.get_ca_certs()) == 1


def test_one_file_may_hold_certificate_and_key(demo: Signed, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_text(Path(demo.cert).read_text() + Path(demo.key).read_text())

    assert tls_context(ca=None, cert=str(both), key=None).check_hostname


def test_without_an_authority_the_systems_are_trusted() -> None:
    assert tls_context(ca=None, cert=None, key=None).verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (lambda demo, text: {"ca": "/nowhere.pem"}, r"ca '/nowhere.pem' cannot be used: No such file"),
        (lambda demo, text: {"ca": text}, r"ca '.*text.pem' cannot be used: it holds no certificate in PEM form"),
        (lambda demo, text: {"cert": text, "key": demo.key}, r"cert '.*text.pem' cannot be used: it holds no cert"),
        (lambda demo, text: {"cert": demo.cert, "key": text}, r"key '.*text.pem' cannot be used: it holds no key"),
        (lambda demo, text: {"cert": demo.cert, "key": "/gone.key"}, r"key '/gone.key' cannot be used: No such file"),
        (
            lambda demo, text: {"cert": demo.cert},
            r"cert '.*demo.crt', which is to hold the key too, cannot be used: it",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    given: Callable[[Signed, str], Given], problem: str, demo: Signed, text: str
) -> None:
    with pytest.raises(SettingsError, match=problem):
        tls_context(**{"ca": None, "cert": None, "key": None, **given(demo, text)})


def test_the_key_of_another_certificate_is_named(authority: Authority, demo: Signed) -> None:
    other = authority.sign("other")

    with pytest.raises(
        SettingsError, match=r"key '.*other.key' cannot be used: it is not the key of cert '.*demo.crt'"
    ):
        tls_context(ca=None, cert=demo.cert, key=other.key)


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(authority: Authority, demo: Signed) -> None:
    locked = authority.lock(demo, passphrase="s3cret")

    with pytest.raises(SettingsError, match="it has a passphrase, and nobody enters that"):
        tls_context(ca=None, cert=demo.cert, key=locked)


def test_every_problem_is_said_at_once(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        tls_context(ca="/nowhere.pem", cert=text, key=None)

    assert len(caught.value.problems) == 2


def test_the_settings_make_the_context(authority: Authority, demo: Signed) -> None:
    tls = PluginSettings(bot="demo", tls=True, ca=authority.ca, cert=demo.cert, key=demo.key).tls_context()

    assert tls is not None
    assert PluginSettings(bot="demo").tls_context() is None

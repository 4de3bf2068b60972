"""Who sends this: one secret, compared once."""

import pytest

from gateway.errors import Unauthorised
from gateway.intake import Door, Received, Signature, Source, authenticate, secrets_shown

SOURCES = {
    "path": Source(name="path"),
    "query": Source(name="query", query_key=True),
    "body": Source(name="body", body_key="passphrase"),
}


class Keys:
    def __init__(self):
        self.asked = []

    def holds(self, source, secret):
        self.asked.append((source, secret))
        return source in SOURCES and secret == "right-secret"

    def lasts(self, source, secret):
        return self.holds(source, secret)

    def signed(self, source, signature, body):
        self.asked.append((source, signature, body))
        return source in SOURCES and signature.signatures == "v1,right"


def received(source, *, body=b"{}", **secrets):
    return Received(source=source, secrets=secrets, body=body, at=0)


@pytest.mark.parametrize(
    "request_",
    [
        received("path", path="right-secret"),
        received("query", query="right-secret"),
        received("body", body=b'{"passphrase": "right-secret"}'),
        received("body", body=b'{"PassPhrase": "right-secret", "n": 1e999999}'),
        received("body", body=b'[{"passphrase": "right-secret"}]'),
        received("body", body=b'{"passphrase": "right-secret", "action": "buy",}'),
        received("body", body=b"PASSPHRASE=right-secret;SIGNAL=BUY"),
    ],
)
def test_the_right_secret_opens_its_source(request_):
    keys = Keys()
    assert authenticate(request_, sources=SOURCES, keys=keys) is SOURCES[request_.source]
    assert len(keys.asked) == 1


@pytest.mark.parametrize(
    ("request_", "cause"),
    [
        (received("nobody", path="right-secret"), "unknown_source"),
        (received("nobody"), "unknown_source"),
        (received("path", path="wrong"), "wrong_secret"),
        (received("path"), "no_secret"),
        (received("path", query="right-secret"), "no_secret"),
        (received("query", query="wrong"), "wrong_secret"),
        (received("path", body=b'{"secret": "right-secret"}'), "no_secret"),
        (received("body", body=b'{"passphrase": "wrong"}'), "wrong_secret"),
        (received("body", body=b"\xff\xfe["), "no_secret"),
        (received("body", body=b"[" * 60_000), "no_secret"),
    ],
)
def test_anything_else_is_refused_after_the_same_one_comparison(request_, cause):
    keys = Keys()
    with pytest.raises(Unauthorised) as refused:
        authenticate(request_, sources=SOURCES, keys=keys)
    assert refused.value.cause == cause
    assert len(keys.asked) == 1


def test_the_secrets_shown_are_listed_for_the_stations_behind():
    request_ = received("body", path="a-path-token", body=b'{"passphrase": "a-body-token"}')
    assert secrets_shown(request_, source=SOURCES["body"]) == ("a-path-token", "a-body-token")


def posted(source, *, signatures=None, **secrets):
    signature = None if signatures is None else Signature(id="m", timestamp="1", signatures=signatures)
    return Received(source=source, secrets=secrets, body=b"{}", at=0, door=Door.SIGNALS, signature=signature)


@pytest.mark.parametrize("request_", [posted("path", bearer="right-secret"), posted("body", signatures="v1,right")])
def test_a_program_shows_a_token_or_a_signature(request_):
    """A Bearer token and a signature open the source that has them, after one look."""
    keys = Keys()
    assert authenticate(request_, sources=SOURCES, keys=keys) is SOURCES[request_.source]
    assert len(keys.asked) == 1


@pytest.mark.parametrize(
    ("request_", "cause"),
    [
        (posted("path"), "no_secret"),
        (posted("nobody", bearer="right-secret"), "unknown_source"),
        (posted("nobody", signatures="v1,right"), "unknown_source"),
        (posted("path", bearer="wrong"), "wrong_secret"),
        (posted("path", signatures="v1,wrong"), "wrong_signature"),
        (posted("path", bearer="wrong", signatures="v1,right"), "wrong_secret"),
        (posted("query", query="right-secret"), "no_secret"),
        (posted("path", path="right-secret"), "no_secret"),
    ],
)
def test_a_program_gets_in_by_nothing_else(request_, cause):
    """A webhook's ways of showing a secret count for webhooks only, and a wrong token is not made good."""
    keys = Keys()
    with pytest.raises(Unauthorised) as refused:
        authenticate(request_, sources=SOURCES, keys=keys)
    assert refused.value.cause == cause
    assert len(keys.asked) == 1

"""The caller's address is the right-most one that is not a trusted proxy."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web.address import client, parse

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("52.89.214.238", [], "52.89.214.238"),
        ("6.6.6.6", ["52.89.214.238"], "6.6.6.6"),
        ("10.0.0.1", ["52.89.214.238"], "52.89.214.238"),
        ("10.0.0.1", ["52.89.214.238, 6.6.6.6"], "6.6.6.6"),
        ("10.0.0.1", ["52.89.214.238", "6.6.6.6"], "6.6.6.6"),
        ("10.0.0.1", ["6.6.6.6, 52.89.214.238, 10.0.0.2"], "52.89.214.238"),
        ("10.0.0.1", ["52.89.214.238:4711"], "52.89.214.238"),
        ("fd00::1", ["[2001:db8::1]:443"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["52.89.214.238"], "52.89.214.238"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.9, 10.0.0.2"], "10.0.0.9"),
    ],
)
def test_the_address_is_the_last_one_that_a_trusted_proxy_vouches_for(
    peer: str, forwarded: list[str], expected: str
) -> None:
    assert str(client(peer, forwarded, trusted=PROXIES)) == expected


@pytest.mark.parametrize("garbage", ["unknown", "", "52.89.214.238x", "_hidden", "1.2.3"])
def test_garbage_from_a_proxy_is_no_address_and_not_skipped(garbage: str) -> None:
    assert client("10.0.0.1", [f"52.89.214.238, {garbage}"], trusted=PROXIES) is None


def test_without_a_peer_there_is_no_address() -> None:
    assert client(None, ["52.89.214.238"], trusted=PROXIES) is None


@given(st.lists(st.text(), max_size=5))
def test_what_an_untrusted_peer_forwards_never_matters(forwarded: list[str]) -> None:
    assert str(client("6.6.6.6", forwarded, trusted=PROXIES)) == "6.6.6.6"


@given(st.text())
def test_reading_an_address_never_raises(text: str) -> None:
    assert parse(text) is None or parse(str(parse(text))) == parse(text)

"""Who calls: the peer, or the client that a trusted proxy names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from gateway.web.settings import Network

Address = IPv4Address | IPv6Address


def client(peer: str | None, forwarded: Sequence[str], *, trusted: Sequence[Network]) -> Address | None:
    """The right-most address that is not a trusted proxy; None where it is no address.

    Args:
        peer: the other end of the connection.
        forwarded: the values of ``X-Forwarded-For``, in their order; ignored where the peer is not trusted.
        trusted: the proxies whose word counts.
    """
    address = parse(peer or "")
    hops = [hop for value in forwarded for hop in value.split(",")]
    while hops and address is not None and within(address, trusted):
        address = parse(hops.pop())
    return address


def within(address: Address, networks: Iterable[Network]) -> bool:
    """Whether an address lies in one of the networks."""
    return any(address in network for network in networks)


def parse(text: str) -> Address | None:
    """Read an address, with a port or a zone or without; an IPv4 address in IPv6's clothes is itself."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address

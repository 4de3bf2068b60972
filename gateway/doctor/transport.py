"""How the bytes travel to a broker: whether others can read them, how long its certificate lasts, and old TLS."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Iterator
from ipaddress import ip_address

from gateway.doctor.cures import cure
from gateway.doctor.seen import Kind, Wire
from gateway.doctor.verdict import Grade, Verdict, sound
from gateway.mqtt.model import LinkSettings
from gateway.mqtt.probe import Probe, probe

_DAY = 86_400
_SOON = 14
"""Days; who renews by machine does it a month before the end."""


def see_wire(caller: Probe) -> Wire:
    """What is known of a connection."""
    ends = caller.certificate.get("notAfter")
    return Wire(
        encrypted=bool(caller.certificate),
        loopback=ip_address(caller.peer.partition("%")[0]).is_loopback,
        expires=float(ssl.cert_time_to_seconds(ends)) if ends else None,
    )


async def takes_old_tls(link: LinkSettings) -> bool:
    """Whether the broker still speaks TLS 1.0 or 1.1; nothing is said over that connection."""
    try:
        async with probe(link, tls=_old()):
            return True
    except OSError:
        return False


def judge_wire(wire: Wire, kind: Kind, *, now: float) -> Iterator[Verdict]:
    """Who can read what travels, and until when it goes well.

    Args:
        wire: what was seen.
        kind: which broker it is.
        now: seconds since the epoch.
    """
    if not wire.encrypted and wire.loopback:
        yield sound("tls", "the broker is on this machine: nobody can listen on the way")
    elif not wire.encrypted:
        says = "passwords and signals travel to another machine unencrypted"
        where = f"{cure('tls', kind)}; then signal-gateway.yml: broker.tls.enabled: true, and the bots' MQTT_TLS"
        yield Verdict(Grade.MONEY, "tls", says, where)
    else:
        yield sound("tls", "TLS, with a certificate that is trusted")
    if wire.expires is not None and (days := (wire.expires - now) / _DAY) < _SOON:
        says = f"the broker's certificate ends in {days:.0f} days, and then nobody can connect"
        yield Verdict(Grade.SIGNALS, "certificate", says, cure("certificate", kind))
    if wire.old:
        says = "the broker also speaks TLS 1.0 or 1.1, which can be broken"
        yield Verdict(Grade.TROUBLE, "old-tls", says, cure("old-tls", kind))


def _old() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that is why it is tried
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context

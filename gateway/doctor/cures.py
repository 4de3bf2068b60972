"""Where each cure belongs: the line of ``mosquitto.conf``, the key of EMQX, or our own configuration."""

from __future__ import annotations

from typing import NamedTuple

from gateway.doctor.seen import Kind


class _Cure(NamedTuple):
    mosquitto: str
    emqx: str
    first: str = ""
    """What is to be done whichever broker it is."""


_FILES = "signal-gateway init writes acl_file and password_file; then systemctl reload mosquitto"
_RULES = "the permissions of docs/brokers.md in acl.conf, authorization.no_match = deny"

_CURES = {
    "anonymous": _Cure(
        "allow_anonymous false",
        "authentication = [{mechanism = password_based, backend = built_in_database}], and on each listener"
        " enable_authn = quick_deny_anonymous",
    ),
    "any-password": _Cure(
        "allow_anonymous false, password_file FILE, and no plugin that lets everybody in",
        "authentication: password_based, with the users in its database",
    ),
    "gateway-denied": _Cure(f"acl_file FILE: {_FILES}", f"authorization.sources: {_RULES}"),
    "gateway-unbounded": _Cure(f"acl_file FILE: {_FILES}", f"authorization.sources: {_RULES}"),
    "bot-reads": _Cure(f"acl_file FILE: {_FILES}", f"authorization.sources: {_RULES}"),
    "bot-writes": _Cure(f"acl_file FILE: {_FILES}", f"authorization.sources: {_RULES}"),
    "bot-denied": _Cure(f"acl_file FILE: {_FILES}", f"authorization.sources: {_RULES}"),
    "doctor-denied": _Cure(f"acl_file FILE: {_FILES}", f"authorization.sources: {_RULES}"),
    "retained": _Cure(
        "mosquitto_pub -r -n -t TOPIC, with a login that may write there, such as the gateway's",
        "emqx ctl retainer clean TOPIC",
        first="delete each, and find out who publishes with the retain flag:",
    ),
    "window": _Cure("max_inflight_messages 20, or more", "mqtt.max_inflight = 32, or more"),
    "packet-size": _Cure(
        "max_packet_size 262144 (or leave it out), and no message_size_limit below 65536",
        "mqtt.max_packet_size = 256KB",
    ),
    "queue": _Cure("max_queued_messages 100000", "mqtt.max_mqueue_len = 10000"),
    "session": _Cure(
        "leave persistent_client_expiration out, or at a day",
        "mqtt.session_expiry_interval = 2h or more, for clients of MQTT 3.1.1",
    ),
    "expiry": _Cure("Mosquitto 2 honours it: update", "mqtt.message_expiry_interval only adds one where there is none"),
    "qos": _Cure("max_qos 2 (or leave it out)", "mqtt.max_qos_allowed = 2"),
    "retain": _Cure("retain_available true (or leave it out)", "mqtt.retain_available = true, retainer.enable = true"),
    "wildcards": _Cure("Mosquitto has them: something else answers there", "mqtt.wildcard_subscription = true"),
    "reasons": _Cure("Mosquitto 2 tells them on MQTT 5: update", "authorization.deny_action = ignore"),
    "closes": _Cure("Mosquitto does not by itself: look at its plugins", "authorization.deny_action = ignore"),
    "slow": _Cure(
        "put its store on a faster disk, autosave_interval 1 or more", "look at its CPU and disk in the dashboard"
    ),
    "persistence": _Cure(
        "persistence true, persistence_location FOLDER", "durable_sessions.enable = true, retainer storage_type = disc"
    ),
    "autosave": _Cure("autosave_interval 1", "durable_sessions.enable = true"),
    "tls": _Cure(
        "listener 8883 with certfile and keyfile", "listeners.ssl.default.bind = 8883, ssl_options.certfile and keyfile"
    ),
    "certificate": _Cure(
        "renew the certificate of certfile, then systemctl reload mosquitto",
        "renew listeners.ssl.default.ssl_options.certfile",
    ),
    "old-tls": _Cure("tls_version tlsv1.2", 'listeners.ssl.default.ssl_options.versions = ["tlsv1.3", "tlsv1.2"]'),
    "version": _Cure(
        "update Mosquitto to 2.0 or later", "update EMQX to 5 or later, and set authorization.no_match = deny"
    ),
}

_EMBEDDED = "of the embedded broker; where it matters, use Mosquitto or EMQX: docs/brokers.md"


def cure(code: str, kind: Kind) -> str:
    """What to do, and where, on a broker of this kind; for each known one where the kind is not known."""
    mosquitto, emqx, first = _CURES[code]
    match kind:
        case Kind.EMBEDDED:
            where = _EMBEDDED
        case Kind.MOSQUITTO:
            where = mosquitto if first else f"mosquitto.conf: {mosquitto}"
        case Kind.EMQX:
            where = emqx if first else f"EMQX: {emqx}"
        case Kind.OTHER:
            where = f"Mosquitto: {mosquitto}; EMQX: {emqx}"
    return f"{first} {where}".strip()

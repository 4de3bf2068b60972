"""The composition root: settings in, workers out. Nothing else constructs the parts."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version
from pathlib import Path

import uuid_utils

from gateway.bots import Cards, Receipts
from gateway.config import BotLogins, KeyRing, Settings
from gateway.delivery import Delivery
from gateway.intake.source import Received
from gateway.journal import open_journal
from gateway.journal.model import Draft, Journal
from gateway.mqtt import EmbeddedBroker, GmqttLink, Will
from gateway.pipeline import Pipeline, Road, consider
from gateway.telemetry import Recorder, Telemetry
from gateway.web import HttpListener, private_app, public_app
from schemas.card import GatewayCard, GatewayCardSchema, Presence
from schemas.envelope import GATEWAY_CARD, Envelope, body, encode, schema_urn
from schemas.fields import from_micros

_DRAIN = 10.0
"""Seconds after SIGTERM in which what waits is still published; orchestrators kill after 30."""

_PRUNE_EVERY = 10.0


def now() -> int:
    """Microseconds since the epoch, by this machine's clock."""
    return time.time_ns() // 1000


def new_id() -> str:
    """A UUIDv7."""
    return str(uuid_utils.uuid7())

"""Metrics and logs: domain verbs in, Prometheus and structlog out."""

from gateway.telemetry.facts import Telemetry
from gateway.telemetry.logs import LogSettings, configure
from gateway.telemetry.null import NullTelemetry
from gateway.telemetry.recorder import Recorder
from gateway.telemetry.several import Several
from gateway.telemetry.sink import LineSink

__all__ = ["LineSink", "LogSettings", "NullTelemetry", "Recorder", "Several", "Telemetry", "configure"]

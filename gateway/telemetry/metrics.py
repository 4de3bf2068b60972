"""The metrics by their names, on a registry of their own; every label comes from a closed list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from typing import TypeVar

from prometheus_client import CollectorRegistry, Gauge, Info
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from gateway.telemetry.counted import Count, Family, Level, Times
from gateway.telemetry.facts import Backlog, Life, Room
from gateway.telemetry.labels import NOT_STORED, NOTIFIED, OTHER, PROBLEMS, STAGES, STATIONS, UNAUTHORISED

PREFIX = "signal_gateway"

_Child = TypeVar("_Child", Count, Level, Times)

ALIVE, DEAD = "alive", "dead"
STATES = (ALIVE, DEAD, "left", "unknown")
"""How a bot can be."""


class Metrics:
    """Every metric of the gateway. The children of each configured source exist from the start, at zero."""

    def __init__(self, *, sources: Iterable[str], version: str) -> None:
        self.registry = CollectorRegistry()
        self._road()
        self._bots_and_broker()
        self._http()
        self._notify()
        Info("build", "The version that runs.", namespace=PREFIX, registry=self.registry).info({"version": version})
        ProcessCollector(registry=self.registry)
        self._zero(sources)

    def _road(self) -> None:
        self.received = self._count("received", "Authenticated webhook requests.", "source")
        self.accepted = self._count("accepted", "Signals put on disk.", "source", "body")
        self.duplicates = self._count("duplicates", "Signals that were there already.", "source")
        self.refused = self._count("refused", "Refused requests.", "source", "code")
        self.unauthorised = self._count("unauthorised", "Requests without a valid secret.", "cause")
        self.not_stored = self._count("not_stored", "Requests to be sent again.", "cause")
        self.published = self._count("published", "Signals that the broker acknowledged.", "source", "body")
        self.outcomes = self._count("outcomes", "Stations that signals reached.", "station", "source")
        self.redelivered = self._count("redelivered", "Signals published again for want of a receipt.", "source")
        self.to_broker = self._time("webhook_to_broker", "From acceptance to the broker's PUBACK.", "source")
        self.to_callback = self._time(
            "webhook_to_callback",
            "From acceptance, by the gateway's clock, to the first callback, by the bot's clock.",
            "source",
        )
        self.last_accepted = self._gauge(
            "source_last_accepted_timestamp_seconds", "When a source's last signal was accepted.", "source"
        )
        self.silent = self._gauge(
            "source_silent", "1 while nothing comes from a source for longer than it says.", "source"
        )

    def _bots_and_broker(self) -> None:
        self.receipts = self._count("receipts", "Receipts, repeats included.", "stage", "source")
        self.unknown_receipts = self._count("unknown_receipts", "Receipts for signals that nobody knows.")
        self.surplus_receipts = self._count("surplus_receipts", "Receipts beyond 64 of one bot for one signal.")
        self.unreadable = self._count("unreadable_messages", "MQTT messages that cannot be read.", "kind")
        self.commands = self._count("commands", "Commands to bots.", "command", "outcome")
        self.stray_replies = self._count("stray_replies", "Replies that no call waits for.")
        self.bot_messages = self._count("bot_messages", "What bots told of themselves.", "channel")
        self.ml_signals = self._count("ml_signals", "What was said to Hummingbot's ai_livestream.", "outcome")
        self.retained_found = self._count("retained_found", "Messages that others retained for ai_livestream.")
        self.connected = self._gauge("broker_connected", "1 while connected to the broker.")
        self.reconnects = self._count("broker_reconnects", "Connections to the broker made again.")

    def _http(self) -> None:
        self.requests = self._count("http_requests", "HTTP requests.", "listener", "route", "method", "status")
        self.request_seconds = self._time("http_request_duration", "From request to answer.", "listener", "route")
        self.unexpected = self._count("unexpected_errors", "Errors that nobody foresaw.")
        self.changes = self._count("api_changes", "Changes through the private API.", "outcome")

    def _notify(self) -> None:
        self.problems = self._count("problems", "Problems that somebody may want to be told, and their ends.", "kind")
        self.notifications = self._count("notifications", "Notifications to all targets.", "outcome")

    def _count(self, name: str, text: str, *labels: str) -> Family[Count]:
        return self._family(Count, name, text, labels)

    def _time(self, name: str, text: str, *labels: str) -> Family[Times]:
        return self._family(Times, f"{name}_seconds", text, labels)

    def _gauge(self, name: str, text: str, *labels: str) -> Family[Level]:
        return self._family(Level, name, text, labels)

    def _family(self, kind: type[_Child], name: str, text: str, labels: tuple[str, ...]) -> Family[_Child]:
        family = Family(kind, f"{PREFIX}_{name}", text, labels)
        self.registry.register(family)
        return family

    def _zero(self, sources: Iterable[str]) -> None:
        """Begin at zero what alerts watch: of a series that begins at one, Prometheus sees no increase."""
        for cause in UNAUTHORISED:
            self.unauthorised[cause,]
        for cause in NOT_STORED:
            self.not_stored[cause,]
        for kind in PROBLEMS:
            self.problems[kind,]
        for outcome in NOTIFIED:
            self.notifications[outcome,]
        for source in (*sources, OTHER):
            self._zero_source(source)

    def _zero_source(self, source: str) -> None:
        for family in (self.received, self.duplicates, self.redelivered):
            family[source,]
        for times in (self.to_broker, self.to_callback):
            times[source,]
        for station in STATIONS:
            self.outcomes[station, source]
        for stage in STAGES:
            self.receipts[stage, source]
        self.silent[source,]

    def watch_journal(self, writable: Callable[[], bool]) -> None:
        """Ask whether the journal can store when the metrics are read."""
        gauge = Gauge("journal_writable", "1 while the journal can store.", namespace=PREFIX, registry=self.registry)
        gauge.set_function(writable)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Write all metrics in the format that the ``Accept`` header asks for; say its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


class OutboxCollector(Collector):
    """Asks the journal when the metrics are read."""

    def __init__(self, depth: Callable[[], Backlog], *, now: Callable[[], int]) -> None:
        self._depth = depth
        self._now = now

    def describe(self) -> Iterator[Metric]:
        """Nothing, so that registering does not ask the journal."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The three gauges."""
        depth = self._depth()
        age = 0.0 if depth.oldest is None else max(0.0, (self._now() - depth.oldest) / 1e6)
        yield GaugeMetricFamily(f"{PREFIX}_outbox_depth", "Signals that wait for the broker.", value=depth.waiting)
        yield GaugeMetricFamily(
            f"{PREFIX}_outbox_awaiting", "Signals that some bot has not receipted.", value=depth.awaiting
        )
        yield GaugeMetricFamily(f"{PREFIX}_outbox_oldest_age_seconds", "Age of the oldest that waits.", value=age)


class RoomCollector(Collector):
    """Asks how full the journal and its disk are when the metrics are read."""

    def __init__(self, room: Callable[[], Room]) -> None:
        self._room = room

    def describe(self) -> Iterator[Metric]:
        """Nothing, so that registering does not ask the disk."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The four gauges; none while the disk does not answer."""
        try:
            room = self._room()
        except OSError:
            return
        for name, text, value in (
            ("journal_bytes", "What the journal's files take.", room.used),
            ("journal_max_bytes", "What the journal may hold.", room.limit),
            ("journal_disk_free_bytes", "What is free for the gateway on the journal's disk.", room.free),
            ("journal_disk_size_bytes", "The size of the journal's disk.", room.size),
        ):
            yield GaugeMetricFamily(f"{PREFIX}_{name}", text, value=value)


class CertificateCollector(Collector):
    """Asks when the broker's certificate ends when the metrics are read; nothing without TLS, or a connection."""

    def __init__(self, end: Callable[[], float | None]) -> None:
        self._end = end

    def describe(self) -> Iterator[Metric]:
        """Nothing, so that registering asks nobody."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The gauge."""
        end = self._end()
        text = "When the broker's certificate ends."
        gauge = GaugeMetricFamily(f"{PREFIX}_broker_certificate_expiry_timestamp_seconds", text, labels=())
        if end is not None:
            gauge.add_metric((), end)
        yield gauge


class ClockCollector(Collector):
    """Asks for the bots' clocks when the metrics are read; of the bots without a login the one most off, as OTHER."""

    def __init__(self, offsets: Callable[[], Mapping[str, float]], *, named: Callable[[], Container[str]]) -> None:
        self._offsets = offsets
        self._named = named

    def describe(self) -> Iterator[Metric]:
        """Nothing, so that registering asks nobody."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The gauge, of each bot whose offset is known."""
        named, shown = self._named(), dict[str, float]()
        for bot, offset in self._offsets().items():
            label = bot if bot in named else OTHER
            shown[label] = max(shown.get(label, 0.0), offset, key=abs)
        text = "How far a bot's clock is ahead of the gateway's; negative: behind."
        gauge = GaugeMetricFamily(f"{PREFIX}_bot_clock_offset_seconds", text, labels=["bot"])
        for label, offset in shown.items():
            gauge.add_metric([label], offset)
        yield gauge


class LivesCollector(Collector):
    """Asks how the bots are when the metrics are read; by its name each bot that is known by name, of all the number.

    Args:
        named: those that the gateway's operator named, by a login or in a source.
        now: microseconds since the epoch.
    """

    def __init__(
        self, lives: Callable[[], Mapping[str, Life]], *, named: Callable[[], Collection[str]], now: Callable[[], int]
    ) -> None:
        self._lives = lives
        self._named = named
        self._now = now

    def describe(self) -> Iterator[Metric]:
        """Nothing, so that registering asks nobody."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The four gauges."""
        lives, now = self._lives(), self._now()
        alive = GaugeMetricFamily(f"{PREFIX}_bot_alive", "1 while a bot gives signs of life.", labels=["bot"])
        dead = GaugeMetricFamily(f"{PREFIX}_bot_dead", "1 while a bot is silent that said no goodbye.", labels=["bot"])
        age = GaugeMetricFamily(f"{PREFIX}_bot_last_seen_age_seconds", "Since its last sign of life.", labels=["bot"])
        for name in self._named():
            life = lives.get(name)
            alive.add_metric([name], float(life is not None and life.state == ALIVE))
            dead.add_metric([name], float(life is not None and life.state == DEAD))
            if life is not None and life.seen_at is not None:
                age.add_metric([name], max(0.0, (now - life.seen_at) / 1e6))
        counted = Counter(life.state for life in lives.values())
        bots = GaugeMetricFamily(f"{PREFIX}_bots", "Bots that were heard of, by how they are.", labels=["state"])
        for state in STATES:
            bots.add_metric([state], counted[state])
        yield from (alive, dead, age, bots)

"""What is counted: only the event loop does, and reads it, so that nothing is locked and a count costs an addition."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Generic, Protocol, TypeVar

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

BUCKETS = (0.001, 0.002, 0.003, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 60.0, 900.0)
"""Seconds. 3 s is where TradingView gives up."""

_LIMITS = [*map(str, BUCKETS), "+Inf"]


class Counted(Protocol):
    """One child of a family."""

    def show(self, family: Metric, labels: Sequence[str]) -> None:
        """Add its samples to what is read."""


class Count:
    """Grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, by: float = 1) -> None:
        """Count."""
        self.value += by

    def show(self, family: Metric, labels: Sequence[str]) -> None:
        assert isinstance(family, CounterMetricFamily)
        family.add_metric(labels, self.value)


class Level:
    """Is as it was set last."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def set(self, value: float) -> None:
        """Set it."""
        self.value = float(value)

    def show(self, family: Metric, labels: Sequence[str]) -> None:
        assert isinstance(family, GaugeMetricFamily)
        family.add_metric(labels, self.value)


class Times:
    """How often something took how long."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * len(_LIMITS)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds

    def show(self, family: Metric, labels: Sequence[str]) -> None:
        assert isinstance(family, HistogramMetricFamily)
        buckets = [(limit, float(count)) for limit, count in zip(_LIMITS, accumulate(self.counts), strict=True)]
        family.add_metric(labels, buckets, self.total)


_Child = TypeVar("_Child", bound=Counted)
_FAMILIES = {Count: CounterMetricFamily, Level: GaugeMetricFamily, Times: HistogramMetricFamily}


class Family(dict[tuple[str, ...], _Child], Collector, Generic[_Child]):
    """A metric by its labels: ``family[labels]`` is the child, which is made when it is first asked for.

    Args:
        kind: Count, Level or Times.
        name: as a reader sees it, but for the ending of a counter.
        text: what it tells.
        labels: their names.
    """

    def __init__(self, kind: Callable[[], _Child], name: str, text: str, labels: Sequence[str]) -> None:
        super().__init__()
        self._kind = kind
        self.name, self.text, self.labels = name, text, tuple(labels)
        if not labels:
            self[()] = kind()

    __hash__ = object.__hash__  # type: ignore[assignment]  # a registry knows its collectors by what they are, not by what is in them

    def __missing__(self, labels: tuple[str, ...]) -> _Child:
        child = self[labels] = self._kind()
        return child

    def describe(self) -> Iterator[Metric]:
        """The family without a sample."""
        yield self._empty()

    def collect(self) -> Iterator[Metric]:
        """The family with its samples."""
        family = self._empty()
        for labels, child in self.items():
            child.show(family, labels)
        yield family

    def _empty(self) -> Metric:
        family: Metric = _FAMILIES[self._kind](self.name, self.text, labels=self.labels)  # type: ignore[index]
        return family

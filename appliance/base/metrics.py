"""Counters, gauges and histograms, declared by the room that counts, exposed for Prometheus.

They are the one state of modules that is allowed: a number that only grows has no owner. prometheus-client writes the
text; it is imported when somebody asks, because that takes a tenth of a second.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any, Final

PREFIX: Final = "moxpy_"

#: Label values of one metric; more would be a label that peers can choose.
SERIES: Final = 2000

_declared: "list[Counter | Gauge | Histogram]" = []


class Value:
    """One number."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1) -> None:
        """Add."""
        self.value += amount

    def dec(self, amount: float = 1) -> None:
        """Take away; for gauges."""
        self.value -= amount

    def set(self, value: float) -> None:
        """Replace; for gauges."""
        self.value = value


class _Labelled:
    """A metric with values by label."""

    kind = ""

    def __init__(self, name: str, help: str, labels: Sequence[str] = ()) -> None:
        self.name, self.help, self.label_names = name, help, tuple(labels)
        self.series: dict[tuple[str, ...], Value] = {}
        _declared.append(self)  # type: ignore[arg-type]
        if not labels:
            self.labels()

    def labels(self, *values: str) -> Value:
        """The number of these label values; keep it where it is counted often."""
        child = self.series.get(values)
        if child is None:
            assert len(values) == len(self.label_names), self.name
            if len(self.series) >= SERIES:
                values = ("(other)",) * len(values)
            child = self.series.setdefault(values, Value())
        return child

    def inc(self, amount: float = 1) -> None:
        """Add; for a metric without labels."""
        self.labels().value += amount

    def samples(self) -> Iterator[tuple[str, dict[str, str], float]]:
        """Suffix, labels and value of each number."""
        for values, child in list(self.series.items()):
            yield "", dict(zip(self.label_names, values, strict=True)), child.value


class Counter(_Labelled):
    """Only grows. Its name ends in `_total`."""

    kind = "counter"


class Gauge(_Labelled):
    """Goes up and down."""

    kind = "gauge"

    def remove(self, *values: str) -> None:
        """Forget the number of these label values: what it was about is gone."""
        self.series.pop(values, None)


class Distribution:
    """How often values of one series fell into each bucket."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Histogram:
    """How often values fell into each bucket."""

    kind = "histogram"

    def __init__(self, name: str, help: str, labels: Sequence[str] = (), *, buckets: Sequence[float]) -> None:
        self.name, self.help, self.label_names = name, help, tuple(labels)
        self.buckets = tuple(buckets)
        self.series: dict[tuple[str, ...], Distribution] = {}
        _declared.append(self)

    def labels(self, *values: str) -> Distribution:
        """The distribution of these label values."""
        found = self.series.get(values)
        if found is None:
            assert len(values) == len(self.label_names), self.name
            if len(self.series) >= SERIES:
                values = ("(other)",) * len(values)
            found = self.series.setdefault(values, Distribution(self.buckets))
        return found

    def samples(self) -> Iterator[tuple[str, dict[str, str], float]]:
        """Suffix, labels and value of each number, buckets cumulative."""
        for values, found in list(self.series.items()):
            labels = dict(zip(self.label_names, values, strict=True))
            total = 0
            for bound, count in zip((*self.buckets, float("inf")), found.counts, strict=True):
                total += count
                text = "+Inf" if bound == float("inf") else repr(float(bound))
                yield "_bucket", {**labels, "le": text}, total
            yield "_count", labels, total
            yield "_sum", labels, found.sum


#: A bug that ended a session or a task but nothing else.
panics = Counter("panic_total", "Unhandled exceptions, contained.", ("pkg",))


def expose() -> bytes:
    """All metrics in Prometheus' text format, with those of the process."""
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
    from prometheus_client.core import Metric

    class Declared:
        def collect(self) -> Iterator[Any]:
            for one in _declared:
                name = PREFIX + one.name
                metric = Metric(name.removesuffix("_total") if one.kind == "counter" else name, one.help, one.kind)
                for suffix, labels, value in one.samples():
                    metric.add_sample(name + suffix, labels, value)
                yield metric

    registry = CollectorRegistry()
    registry.register(Declared())
    ProcessCollector(registry=registry)
    return generate_latest(registry)

"""Counters, gauges and histograms: cheap to raise, written out in the Prometheus text format when asked.

Each room declares what it counts at module level, under the names of the specification, without prefix:

    ERRORS = Counter("smtpserver_errors_total", "Submissions that failed.", ["error"])
    DKIM_ERRORS = ERRORS.labels("dkimsign")  # kept: looking a child up costs more than raising it
    DKIM_ERRORS.inc()

Counting is the one shared state that modules may keep: it is never read back by the program. Label values come from
bounded sets, never from outside; as a second wall a family keeps at most `CHILDREN` children and counts
the rest under `other`. All of it belongs to the thread of the event loop or to threads that hold the GIL between
read and write of one number; a lost increment is accepted, a crash or a lock is not.
"""

import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, Generic, Self, TypeVar

PREFIX = "moxpy_"
#: Different label values of one family.
CHILDREN = 1000
#: Upper bounds in seconds, for durations from a cached lookup to a slow delivery.
DURATION_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)

_families: dict[str, "Family[Any]"] = {}


class _Value:
    """One number."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0


class CounterValue(_Value):
    """A number that only rises."""

    __slots__ = ()

    def inc(self, amount: float = 1) -> None:
        """Count."""
        self.value += amount


class GaugeValue(_Value):
    """A number that rises and falls."""

    __slots__ = ()

    def inc(self, amount: float = 1) -> None:
        """Up."""
        self.value += amount

    def dec(self, amount: float = 1) -> None:
        """Down."""
        self.value -= amount

    def set(self, value: float) -> None:
        """The number is now this."""
        self.value = value


class HistogramValue:
    """How many observations fell into which bucket, and their sum."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Note one observation, in the unit of the name."""
        self.counts[bisect.bisect_left(self._bounds, value)] += 1
        self.sum += value


Child = TypeVar("Child", CounterValue, GaugeValue, HistogramValue)


class Family(Generic[Child]):
    """A metric with its children, one for each combination of label values."""

    kind: ClassVar[str]

    def __init__(self, name: str, help_text: str, labels: Sequence[str] = ()) -> None:
        if name in _families:
            raise ValueError(f"metric {name} is declared twice")
        self.name, self.help, self.label_names = name, help_text, tuple(labels)
        self._children: dict[tuple[str, ...], Child] = {}
        _families[name] = self
        if not labels:
            self._children[()] = self._new()

    def labels(self, *values: str) -> Child:
        """The child for these label values; keep it where it is used often."""
        child = self._children.get(values)
        return child if child is not None else self._add(values)

    def initialise(self, *combinations: Sequence[str]) -> Self:
        """Make children that show as 0 from the start, so that an alert sees the first increment."""
        for values in combinations:
            self.labels(*values)
        return self

    def children(self) -> Iterator[tuple[tuple[str, ...], Child]]:
        """Label values and child, in the order of their first use."""
        return iter(list(self._children.items()))

    def _add(self, values: tuple[str, ...]) -> Child:
        if len(values) != len(self.label_names):
            raise ValueError(f"metric {self.name} has the labels {self.label_names}")
        if len(self._children) >= CHILDREN:
            values = ("other",) * len(values)
        return self._children.setdefault(values, self._new())

    def _new(self) -> Child:
        raise NotImplementedError


class Counter(Family[CounterValue]):
    """Counts events; its name ends in `_total`."""

    kind = "counter"

    def inc(self, amount: float = 1) -> None:
        """Count, in a counter without labels."""
        self._children[()].value += amount

    def _new(self) -> CounterValue:
        return CounterValue()


class Gauge(Family[GaugeValue]):
    """A measure of now."""

    kind = "gauge"

    def set(self, value: float) -> None:
        """The number is now this, in a gauge without labels."""
        self._children[()].value = value

    def inc(self, amount: float = 1) -> None:
        """Up, in a gauge without labels."""
        self._children[()].value += amount

    def dec(self, amount: float = 1) -> None:
        """Down, in a gauge without labels."""
        self._children[()].value -= amount

    def _new(self) -> GaugeValue:
        return GaugeValue()


class Histogram(Family[HistogramValue]):
    """Distributes observations over buckets with fixed upper bounds."""

    kind = "histogram"

    def __init__(
        self, name: str, help_text: str, labels: Sequence[str] = (), buckets: Sequence[float] = DURATION_BUCKETS
    ) -> None:
        self.buckets = tuple(buckets)
        super().__init__(name, help_text, labels)

    def observe(self, value: float) -> None:
        """Note one observation, in a histogram without labels."""
        self._children[()].observe(value)

    def _new(self) -> HistogramValue:
        return HistogramValue(self.buckets)


def families() -> list[Family[Any]]:
    """All that has been declared, by name."""
    return [_families[name] for name in sorted(_families)]


class _Collector:
    """Our numbers in the shapes of prometheus_client."""

    def __init__(self, chosen: Iterable[Family[Any]]) -> None:
        self._chosen = list(chosen)

    def collect(self) -> Iterator[Any]:
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        shapes = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}
        for family in self._chosen:
            shown = shapes[family.kind](PREFIX + family.name, family.help, labels=family.label_names)
            for values, child in family.children():
                if isinstance(child, HistogramValue):
                    shown.add_metric(values, list(_cumulative(family, child)), child.sum)
                else:
                    shown.add_metric(values, child.value)
            yield shown


def _cumulative(family: Any, child: HistogramValue) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, count in zip([*family.buckets, "+Inf"], child.counts, strict=True):
        total += count
        yield (str(bound), total)


#: Called before the numbers are written out, to bring gauges up to date that nobody raises (queue sizes, disk space).
Refresh = Callable[[], None]


def expose(refresh: Iterable[Refresh] = (), *, process: bool = True) -> bytes:
    """All metrics in the Prometheus text format 0.0.4, with those of the process (memory, descriptors, collector)."""
    # Imported here: 100 ms that no start of the server or of a command should wait for.
    from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
    from prometheus_client.exposition import generate_latest

    for bring_up_to_date in refresh:
        bring_up_to_date()
    registry = CollectorRegistry()
    registry.register(_Collector(families()))  # type: ignore[arg-type]  # only collect() is called
    if process:
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
    return bytes(generate_latest(registry))

"""Metrics: how the feed is and how the tools are used, in the text format that Prometheus reads."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from orderflow import tools
from orderflow.servers.callers import Caller
from orderflow.servers.replies import Reply
from orderflow.tools.answers import Format
from orderflow.tools.spec import Tell

_STATUSES = {"healthy": 2, "degraded": 1, "unhealthy": 0}

# field of a venue's health → metric, what it says, what it is divided by
_GAUGES = {
    "connected": ("orderflow_venue_connected", "1 while the venue's sockets are open", 1),
    "age_ms": ("orderflow_venue_age_seconds", "Age of the venue's newest datum", 1_000),
    "lag_ms": ("orderflow_feed_lag_seconds", "Receipt less the venue's own time", 1_000),
    "rows_per_s": ("orderflow_rows_per_second", "Rows written a second", 1),
    "gaps_last_hour": ("orderflow_gaps_last_hour", "Gaps that began within the last hour", 1),
}
_COUNTERS = {
    "reconnects": ("orderflow_reconnects", "Times that a socket was opened again"),
    "gaps": ("orderflow_gaps", "Gaps since the start"),
    "rows": ("orderflow_rows", "Rows written since the start"),
}


class Metrics:
    """One run's figures."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._calls = Counter("orderflow_tool_calls", "Tool calls", ["tool", "code"], registry=self._registry)
        self._seconds = Histogram(
            "orderflow_tool_seconds", "Time that a tool took", ["tool"], registry=self._registry
        )
        self._health: Mapping[str, Any] = {}
        self._registry.register(_Feed(self))

    @property
    def health(self) -> Mapping[str, Any]:
        return self._health

    def called(self, name: str, code: str, seconds: float) -> None:
        # Unknown names count as one, or any caller could fill the memory with labels.
        known = name if name in tools.ALL.tools or name in tools.ALL.aliases else "unknown"
        self._calls.labels(known, code).inc()
        self._seconds.labels(known).observe(seconds)

    def text(self, health: Mapping[str, Any]) -> bytes:
        """Return all figures; those of the feed are as `health` says, unknown ones are left out."""
        self._health = health
        return generate_latest(self._registry)


class _Feed:
    """Tells the registry what the health says at the moment of reading."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        health = self._metrics.health
        venues: Mapping[str, Mapping[str, Any]] = health.get("venues", {})
        if health.get("status") in _STATUSES:
            doc = "2 healthy, 1 degraded, 0 unhealthy"
            yield GaugeMetricFamily("orderflow_status", doc, value=_STATUSES[health["status"]])
        for field, (name, doc, unit) in _GAUGES.items():
            gauge = GaugeMetricFamily(name, doc, labels=["venue"])
            for venue, state in venues.items():
                if state.get(field) is not None:
                    gauge.add_metric([venue], float(state[field]) / unit)
            yield gauge
        yield from _postgres(health.get("postgres"))
        for field, (name, doc) in _COUNTERS.items():
            counter = CounterMetricFamily(name, doc, labels=["venue"])
            for venue, state in venues.items():
                if state.get(field) is not None:
                    counter.add_metric([venue], float(state[field]))
            yield counter


def _postgres(state: Mapping[str, Any] | None) -> Iterator[Metric]:
    if state is None:
        return
    connected = float(state["state"] == "connected")
    yield GaugeMetricFamily("orderflow_postgres_connected", "1 while rows are copied there", value=connected)
    if state["behind_rows"] is not None:
        doc = "Rows that PostgreSQL does not have yet"
        yield GaugeMetricFamily("orderflow_postgres_behind_rows", doc, value=state["behind_rows"])
    yield CounterMetricFamily("orderflow_postgres_rows", "Rows copied since the start", value=state["copied"])


class Counted:
    """A caller whose calls are counted by tool, code and time, whichever door they come through."""

    def __init__(self, caller: Caller, metrics: Metrics) -> None:
        self._caller = caller
        self._metrics = metrics

    async def call(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        format: Format | None = None,
        *,
        tell: Tell | None = None,
    ) -> Reply:
        begun = time.perf_counter()
        reply = await self._caller.call(name, arguments, format, tell=tell)
        code = reply.failure.code if reply.failure else "ok"
        self._metrics.called(name, code, time.perf_counter() - begun)
        return reply

    async def health(self) -> dict[str, Any]:
        return await self._caller.health()

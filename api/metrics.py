"""What an api process counts; prometheus-client has its only door here."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from projections.postgres import CONNECTION_ERRORS

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.001, 0.0025, 0.005, 0.008, 0.012, 0.02, 0.035, 0.05, 0.075, 0.12, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The metrics of one process; each name is documented beside it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "muniment_http_requests_total",
            "Requests answered, by method, route of the table and status",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "muniment_http_request_seconds",
            "Seconds from a request's headers to its answer, by method and route",
            ("method", "route"),
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self.refusals = Counter(
            "muniment_refusals_total",
            "Requests answered with a problem, by its code",
            ("code",),
            registry=self.registry,
        )
        self.appends = Counter(
            "muniment_appends_total", "Commands appended to the log, by type", ("type",), registry=self.registry
        )
        self.hits = Counter(
            "muniment_idempotency_hits_total", "Requests answered with their first outcome", registry=self.registry
        )
        # A gauge that only grows: a counter's name would have to end in ``_total``.
        self.signature_failures = Gauge(
            "signature_verification_failures", "Publish intents whose signature did not hold", registry=self.registry
        )
        self.registry.register(CONNECTION_ERRORS)
        self.waiting = Gauge(
            "muniment_decisions_awaited", "Commands appended whose decision has not come yet", registry=self.registry
        )
        self.position = Gauge(
            "muniment_mirror_position",
            "Offset of the last decision in this process's key-value store",
            ("context", "partition"),
            registry=self.registry,
        )
        self.event_readers = Gauge(
            "muniment_event_readers", "Readers of the event stream, by how they read", ("wire",), registry=self.registry
        )
        self.event_readers_ended = Counter(
            "muniment_event_readers_ended_total",
            "Readers of the event stream that ended, by why: slow_reader, gone, shutdown, not_for_messages, "
            "session_over, internal",
            ("reason",),
            registry=self.registry,
        )
        self.events_sent = Counter(
            "muniment_events_sent_total", "Events sent to readers of the event stream", registry=self.registry
        )
        self.event_delay = Histogram(
            "muniment_event_delay_seconds",
            "Seconds from the log's time of an event until this process had it for its readers",
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self.event_lag = Gauge(
            "muniment_event_reader_lag",
            "Events that the reader furthest behind in the tail of the stream still has before it",
            registry=self.registry,
        )

    def request(self, method: str, route: str, status: int, code: str, seconds: float) -> None:
        """Count one answer."""
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(method, route).observe(seconds)
        if code:
            self.refusals.labels(code).inc()

    def written(self) -> bytes:
        """Write all in Prometheus's text format."""
        return generate_latest(self.registry)

"""What a reactor counts, for Prometheus."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

DISPATCH_SECONDS: Final = Histogram(
    "muniment_webhook_dispatch_seconds",
    "From the log's time of a change to the start of its first delivery.",
    buckets=(0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300),
)
ATTEMPTS: Final = Counter("muniment_webhook_attempts", "Deliveries tried, by what came of it.", ("outcome",))
ATTEMPT_SECONDS: Final = Histogram(
    "muniment_webhook_attempt_seconds",
    "How long an attempt took.",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15),
)
PENDING: Final = Gauge("muniment_webhook_pending", "Deliveries that are neither delivered nor parked.")
IN_FLIGHT: Final = Gauge("muniment_webhook_in_flight", "Deliveries that are being tried.")
LEADING: Final = Gauge("muniment_reactor_leading", "Whether this process leads the reactors.")
EXPIRED: Final = Counter("muniment_facts_expiry_asked", "Facts whose expiry was asked for.")
TASK_LAST_RUN: Final = Gauge(
    "muniment_task_last_run_timestamp_seconds", "When a periodic task last ran to its end.", ("task",)
)
TASK_FAILURES: Final = Counter("muniment_task_failures", "Runs of a periodic task that failed.", ("task",))
SUPPLY: Final = Gauge(
    "muniment_supply_micro_avt", "A frame's tokens as last audited, in micro-AVT.", ("frame", "figure")
)
SUPPLY_HOLDS: Final = Gauge("muniment_supply_holds", "Whether a frame's tokens add up, as last audited.", ("frame",))
INVARIANTS_HOLD: Final = Gauge(
    "muniment_invariants_hold",
    "Whether treasuries, stakes and escrow are what events say, as last audited.",
    ("frame",),
)
TREASURY: Final = Gauge(
    "muniment_treasury_micro_avt",
    "What a registry's treasury has, as last audited, in micro-AVT.",
    ("frame", "registry", "part"),
)
SETTLEMENT_AGREES: Final = Gauge(
    "muniment_settlement_agrees",
    "Whether both sides of a frame's transfers across registries say the same, as last audited.",
    ("frame",),
)
UNSETTLED: Final = Gauge(
    "muniment_settlement_pending",
    "Transfers that are prepared and not ended, by what the receiving side says, as last audited.",
    ("answer",),
)
OLDEST_UNSETTLED: Final = Gauge(
    "muniment_settlement_oldest_seconds", "Since when the oldest of them is prepared, as last audited."
)
TRANSITS: Final = Gauge("muniment_transits", "Transfers across registries that are under way.", ("phase",))
TIMED_OUT: Final = Counter("muniment_transits_timed_out", "Transfers across registries that were given up as late.")
OLDEST_TRANSIT: Final = Gauge("muniment_transit_oldest_seconds", "How long the oldest of them has been under way.")

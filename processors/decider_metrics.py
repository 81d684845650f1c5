"""What a decider shows of itself to Prometheus."""

from prometheus_client import Counter, Gauge

DECISIONS = Counter("muniment_decisions_total", "Decisions settled on the log.", ["context"])
EVENTS = Counter("muniment_events_total", "Events settled on the log, by type.", ["type"])
IN_FLIGHT = Gauge("muniment_decisions_in_flight", "Decisions appended and not read back yet.", ["context", "partition"])
POSITION = Gauge("muniment_decider_position", "Offset of the last settled decision.", ["context", "partition"])
LOST_RACES = Counter(
    "muniment_decider_lost_flights_total", "Flights dropped because another writer was first.", ["context"]
)

"""The one place that pins what the embedded stack is made of."""

from typing import Final

KAFKA_VERSION: Final = "4.1.0"
KAFKA_COORDINATES: Final = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    # Named beside the broker, or resolution settles on an older client and the broker dies with NoSuchMethodError.
    f"org.apache.kafka:kafka-clients:{KAFKA_VERSION}",
)
KAFKA_LOGGING_COORDINATE: Final = "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3"
"""Carries the broker's log lines; resolved by itself, or it would overrule the versions that the broker wants."""
POSTGRES_MAJOR: Final = 18

DATA_LAYOUT: Final = 1
"""The number of the data directory's layout; a larger one on disk was written by a newer Muniment."""

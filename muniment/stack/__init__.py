"""The embedded stack: a real broker, a real PostgreSQL and our own processes, run from one data directory."""

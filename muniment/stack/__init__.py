"""The embedded stack: a real broker, a real PostgreSQL and our own processes, run and watched from one data directory."""

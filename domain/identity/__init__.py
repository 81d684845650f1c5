"""DIDs and their operation logs, the windows of their keys, recovery, handles, and sessions that ended."""

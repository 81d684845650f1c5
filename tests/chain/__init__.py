"""Chains over HTTP, against servers that play answers, and against a real node."""

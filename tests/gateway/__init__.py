"""The gateway: feeds, profiles, search and tips."""

"""Publishing as its reactors do it, step by step: on the memory log, and on a devnet that truly validates."""

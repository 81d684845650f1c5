"""Publishing: rights records that their holders signed, anchored to a chain exactly once."""

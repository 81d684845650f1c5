"""The name of a collection: reverse-domain, as ``org.example.post``."""

import re
from typing import Final

COLLECTION_FORM: Final = r"^[a-z][a-z0-9-]{0,62}(\.[a-zA-Z0-9][a-zA-Z0-9-]{0,62}){1,9}$"
COLLECTION_MAX: Final = 256


def is_collection(text: str) -> bool:
    """Tell whether text can name a collection."""
    return len(text) <= COLLECTION_MAX and re.fullmatch(COLLECTION_FORM, text) is not None and "\n" not in text

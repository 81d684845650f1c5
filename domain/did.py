"""When two DIDs are the same: an Ethereum address in a ``did:pkh`` is one address in whatever case it is written."""


def identity(did: str) -> str:
    """Give the text that is the same for every spelling of a DID; what was signed keeps its own."""
    return did.lower() if did.startswith("did:pkh:") else did

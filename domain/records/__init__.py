"""Records: an owner's vault of values, each checked against its collection's schema, and none in clear on the log.

The nouns, once:

- *collection*: a reverse-domain name (``org.example.post``) and the versions of its JSON Schema.
- *version*: a schema in its order, 1, 2, 3 …; its name is ``<collection>@<major>``, and a breaking one begins a major.
- *record*: a value of an owner in a collection, under its *rkey*; its uri is ``mun://<did>/<collection>/<rkey>``.
- *cid*: ``sha256-`` and base64url of the SHA-256 of the value's RFC 8785 text, by which a value is known.
- *sealed*: a value as it lies on the log, readable with its owner's key alone.
- *vault*: what one owner has, counted; an owner is a DID, and one owner's vault is one order.
- *media*: a file of an owner, reserved before it is uploaded and finalized once it is whole.
- *erasure*: the end of an owner's key, and with it of every value of theirs; what is erased can't be written again.
"""

"""What authorises an upload to us: a token that names the file, and nobody else can make. It is of use for an hour."""

import base64
import binascii
import hmac
import time
from typing import Final, NamedTuple

from api.problems import ProblemError
from log import strict_json

PURPOSE: Final = b"muniment-media-upload-v1"
MAC_BYTES: Final = 32


class Upload(NamedTuple):
    """A file that may be uploaded, until ``expires_at`` (ms)."""

    media_id: str
    did: str
    size: int
    sha256: str
    expires_at: int


def upload_key(sealing_key: bytes) -> bytes:
    """Derive the key of these tokens from the deployment's, which all its api processes have."""
    return hmac.digest(sealing_key, PURPOSE, "sha256")


def write_upload(key: bytes, upload: Upload) -> str:
    """Write a token."""
    said = strict_json.dump(list(upload))
    return base64.urlsafe_b64encode(hmac.digest(key, said, "sha256") + said).decode().rstrip("=")


def read_upload(key: bytes, token: str, media_id: str) -> Upload:
    """Read a token that authorises the upload of this file now. Raises ``forbidden``."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    mac, said = raw[:MAC_BYTES], raw[MAC_BYTES:]
    if not hmac.compare_digest(mac, hmac.digest(key, said, "sha256")):
        raise ProblemError("forbidden", "this URL was not given for an upload here")
    upload = Upload(*strict_json.parse_own(said.decode()))  # type: ignore[misc]  # ours: its MAC holds
    if upload.media_id != media_id:
        raise ProblemError("forbidden", "this URL was given for the upload of another file")
    if upload.expires_at <= time.time() * 1000:
        raise ProblemError("forbidden", "the time of this upload is over; reserve the file again")
    return upload

"""Files in vaults, as owners upload them and everybody downloads them; no file is ever whole in memory."""

import hashlib
import re
import secrets
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Final

from muniment.client.file_transfer import received, sent
from muniment.client.local_files import Progress, Source, Target
from muniment.client.noun import Noun, path_of
from muniment.client.record_refusals import AlreadyFinalized
from muniment.client.record_shapes import Media
from muniment.client.refusals import UnexpectedAnswer
from muniment.client.transport import Transport
from muniment.client.upload_target import target_of

SHA256: Final = re.compile(r"[0-9a-f]{64}")
FINALIZE_S: Final = 300.0
"""How long a file may take to be whole: where its storage took it, the registry reads and seals it all."""
FINALIZED: Final = "finalized"


class MediaFiles(Noun):
    """Files: reserved, uploaded, finalized, read. Raises Erased for those of an owner who had all erased.

    ``upload_origins`` are places that a registry may have files sent to besides its own origin and https ones.
    """

    def __init__(self, transport: Transport, upload_origins: Sequence[str] = ()) -> None:
        super().__init__(transport)
        self._upload_origins = tuple(upload_origins)

    async def upload(
        self,
        path: str | Path,
        mime: str,
        *,
        idempotency_key: str | None = None,
        progress: Progress | None = None,
    ) -> Media:
        """Reserve a file, send it, and finalize it; sent again from its start where the connection broke.

        The same ``idempotency_key`` again, by another process too, goes on with the same reservation for as long as its
        upload may be begun (an hour), and gives the file where it is whole already. Raises QuotaExceeded,
        MediaMismatch, StorageUnavailable, FileChanged, and OSError for the file itself.
        """
        source = Source(Path(path), progress)
        size, sha256 = await source.measured()
        reserved = await self.reserve(mime, size, sha256, idempotency_key=idempotency_key)
        known = await self.get(reserved.id) if reserved.repeated else reserved
        if known.status == FINALIZED:
            return known
        try:
            await self._send(reserved, source)
            return await self.finalize(reserved.id)
        except AlreadyFinalized:
            # By another process that goes on with the same reservation.
            return await self.get(reserved.id)

    async def reserve(self, mime: str, size: int, sha256: str, *, idempotency_key: str | None = None) -> Media:
        """Reserve a file of this type, size in bytes and SHA-256 in hex; its ``upload`` says how it is to be sent."""
        answer = await self._post("/media", {"mime": mime, "size": size, "sha256": sha256}, idempotency_key)
        return Media.read(answer.json, answer)

    async def send(self, reserved: Media, path: str | Path, *, progress: Progress | None = None) -> None:
        """Send a file to where its reservation says, which is bounded: see `upload_target`."""
        await self._send(reserved, Source(Path(path), progress))

    async def _send(self, reserved: Media, source: Source) -> None:
        if reserved.upload is None:
            raise UnexpectedAnswer("a reservation doesn't say where its file goes")
        target = target_of(reserved.upload, self._transport.url, self._upload_origins)
        await sent(self._transport, reserved.upload, target, source, reserved.size)

    async def finalize(self, media_id: str, *, idempotency_key: str | None = None) -> Media:
        """Have a file taken as whole. Raises MediaMismatch, AlreadyFinalized, StorageUnavailable."""
        path, key = path_of("media", media_id, "finalize"), idempotency_key or secrets.token_hex(16)
        answer = await self._transport.write(
            "POST", path, idempotency_key=key, timeout_s=max(FINALIZE_S, self._transport.timeout_s)
        )
        return Media.read(answer.json, answer)

    async def get(self, media_id: str, *, min_position: str | None = None) -> Media:
        """Show what a file is; one that isn't whole is shown to its owner alone. Raises NotFound."""
        answer = await self._transport.read(path_of("media", media_id), {"min_position": min_position})
        media = Media.read(answer.json, answer)
        if media.id != media_id or type(media.size) is not int or SHA256.fullmatch(str(media.sha256)) is None:
            raise UnexpectedAnswer("another file than was asked for, or one that can't be")
        return media

    async def content(
        self, media: str | Media, start: int = 0, end: int | None = None, *, progress: Progress | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Give the bytes of a file from ``start`` up to ``end``, going on by itself where the connection broke.

        A whole file's SHA-256 is checked behind its last byte: whoever acts on what came before the end acts on what
        wasn't checked. Raises UnexpectedAnswer for a file that isn't the one, ValueError for a span of no byte.
        """
        known = await self.get(media) if isinstance(media, str) else media
        until = known.size if end is None else min(end, known.size)
        if not 0 <= start < until:
            raise ValueError(f"no byte of {known.size} lies in this span")
        digest, at = hashlib.sha256(), start
        async with aclosing(received(self._transport, known, start, until)) as pieces:
            async for piece in pieces:
                digest.update(piece)
                at += len(piece)
                yield piece
                if progress is not None:
                    progress(at - start, until - start)
        if (start, until) == (0, known.size) and digest.hexdigest() != known.sha256:
            raise UnexpectedAnswer("a file with another SHA-256 than the registry says it has")

    async def download(
        self, media: str | Media, path: str | Path, *, sha256: str | None = None, progress: Progress | None = None
    ) -> Media:
        """Write a file down under a name that is free, once all of it is there and has its SHA-256.

        Name ``sha256`` where the registry isn't to be trusted with it. Raises FileExistsError, and what `content` does.
        """
        known = await self.get(media) if isinstance(media, str) else media
        if sha256 is not None and known.sha256 != sha256.lower():
            raise UnexpectedAnswer(f"a file with the SHA-256 {known.sha256}")
        path = Path(path)
        if path.exists():
            raise FileExistsError(f"{path} is there already")
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.") as file:
            target = Target(file)
            async with aclosing(self.content(known, progress=progress)) as pieces:
                async for piece in pieces:
                    await target.take(piece)
            await target.keep(path)
        return known

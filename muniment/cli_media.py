"""Verbs on files, and the one that erases all that an owner has."""

import argparse
import contextlib
import mimetypes
import sys
from collections.abc import Iterator
from pathlib import Path

from muniment.cli_options import Verbs, add_noun
from muniment.cli_outcome import Failure, usage_error
from muniment.cli_output import print_result, progress, shown
from muniment.cli_reach import add_client_verb, reached, signed_in
from muniment.client.local_files import Progress


def add_verbs(verbs: Verbs) -> None:
    """Add ``media`` with its verbs, and ``erase``."""
    media = add_noun(verbs, "media", "keep files in one's vault, and get anybody's")
    upload = add_client_verb(media, "upload", _upload, "upload a file: reserve it, send it, have it taken as whole")
    upload.add_argument("file", type=Path, metavar="FILE", help="the file to send")
    upload.add_argument("--mime", metavar="TYPE", help="its media type, image/png [by its name]")
    doc = "the same key again, within an hour, goes on with an upload that was broken off"
    upload.add_argument("--idempotency-key", metavar="KEY", help=doc)
    show = add_client_verb(media, "show", _show, "show what a file is")
    download = add_client_verb(media, "download", _download, "get a file, and check its SHA-256")
    for verb in (show, download):
        verb.add_argument("media", metavar="MEDIA", help="its id, med_…")
    download.add_argument("file", type=Path, metavar="FILE", help="a name that is free")
    download.add_argument("--sha256", metavar="HEX", help="what it must be [what the registry says]")
    erase = add_client_verb(verbs, "erase", _erase, "destroy the key of one's own records and files, for good")
    erase.add_argument("did", metavar="DID", help="the DID whose vault it is")
    erase.add_argument("--confirm", metavar="DID", help="the DID again [asked for on a terminal]")


@contextlib.contextmanager
def _shown(args: argparse.Namespace) -> Iterator[Progress]:
    """Show how far a file has come, to a terminal."""
    with progress(args, sized=True) as bar:
        task = bar.add_task(shown(args.file.name), total=None)
        yield lambda at, size: bar.update(task, completed=at, total=size)


@contextlib.contextmanager
def _file_errors() -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise Failure("file_exists", "a file of this name is there already, and is left as it is") from None
    except ConnectionError:
        raise
    except OSError as error:
        raise Failure("unreadable_file", f"{error.filename}: {error.strerror}") from None


async def _upload(args: argparse.Namespace) -> None:
    mime = args.mime or mimetypes.guess_type(args.file.name)[0]
    if mime is None:
        raise usage_error("the name doesn't tell the type: name it with --mime")
    async with reached(args) as client:
        signed_in(client)
        with _file_errors(), _shown(args) as told:
            media = await client.media.upload(args.file, mime, idempotency_key=args.idempotency_key, progress=told)
        print_result(args, media, f"{media.status} {media.id}: {media.size} bytes of {media.mime}")


async def _show(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        print_result(args, await client.media.get(args.media))


async def _download(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        with _file_errors(), _shown(args) as told:
            media = await client.media.download(args.media, args.file, sha256=args.sha256, progress=told)
        print_result(args, media, f"{args.file}: {media.size} bytes, SHA-256 {media.sha256}")


async def _erase(args: argparse.Namespace) -> None:
    confirmed = args.confirm
    if confirmed is None and sys.stdin.isatty():
        print(
            f"Nobody will read a record or file of {args.did} again. Type the DID to go on: ", end="", file=sys.stderr
        )
        confirmed = sys.stdin.readline().strip()
    if confirmed != args.did:
        raise usage_error("type the DID again, or give it with --confirm: what is erased does not come back")
    async with reached(args) as client:
        signed_in(client)
        erasure = await client.erase(args.did)
        print_result(args, erasure, f"erased {erasure.did} at {erasure.erased_at}")

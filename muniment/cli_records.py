"""Verbs on records and on the schemas of their collections."""

import argparse
import re
from typing import Final, NamedTuple

from muniment.cli_given import file_argument, json_value
from muniment.cli_options import Verbs, add_noun
from muniment.cli_outcome import usage_error
from muniment.cli_output import add_limit, print_json, print_result, print_results, print_table, taken
from muniment.cli_reach import add_client_verb, reached, signed_in
from muniment.client import Client

NAME: Final = re.compile(r"(?:mun://(did:[^/]+)/)?([^/:]+)/([^/]+)")
NAMED: Final = "mun://DID/COLLECTION/RKEY, or COLLECTION/RKEY of one's own"
VALUE: Final = "JSON, @FILE, or - for standard input"


class RecordName(NamedTuple):
    """A record as a call names it; without a DID it is of the vault of whoever calls."""

    did: str | None
    collection: str
    rkey: str


def record_name(text: str) -> RecordName:
    """Read a record's name."""
    found = NAME.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(NAMED)
    return RecordName(*found.groups())


def add_verbs(verbs: Verbs) -> None:
    """Add ``records`` and ``schemas`` with their verbs."""
    records = add_noun(verbs, "records", "keep records in one's vault, and read anybody's")
    post = add_client_verb(records, "post", _post, "keep a value under a new key")
    post.add_argument("collection", metavar="COLLECTION", help="org.example.post")
    post.add_argument("value", type=json_value, metavar="VALUE", help=VALUE)
    post.add_argument("--rkey", metavar="RKEY", help="its key, which isn't taken [made of the log's time]")
    put = add_client_verb(records, "put", _put, "keep a value under a key, whatever is there")
    put.add_argument("record", type=record_name, metavar="RECORD", help=NAMED)
    put.add_argument("value", type=json_value, metavar="VALUE", help=VALUE)
    condition = put.add_mutually_exclusive_group()
    condition.add_argument("--if-match", action="append", metavar="CID", help="only over the record of this cid, or *")
    condition.add_argument("--if-none-match", action="store_true", help="only where there is none")
    show = add_client_verb(records, "show", _show, "show a record")
    show.add_argument("record", type=record_name, metavar="RECORD", help=NAMED)
    show.add_argument("--as-of", metavar="POSITION", help="as it stood at a position's token or an RFC 3339 time")
    listed = add_client_verb(records, "list", _list, "list an owner's records, newest first")
    listed.add_argument("did", nargs="?", metavar="DID", help="the owner [that of the key file]")
    listed.add_argument("--collection", metavar="COLLECTION", help="those of a collection [all]")
    add_limit(listed)
    delete = add_client_verb(records, "delete", _delete, "let go of a record")
    delete.add_argument("record", type=record_name, metavar="RECORD", help=NAMED)
    delete.add_argument("--if-match", action="append", metavar="CID", help="only the record of this cid, or *")
    schemas = add_noun(verbs, "schemas", "say what the values of a collection must be")
    put_schema = add_client_verb(schemas, "put", _put_schema, "put a collection's next schema, as an admin")
    put_schema.add_argument("collection", metavar="COLLECTION", help="org.example.post")
    doc = "a JSON Schema 2020-12; - for standard input"
    put_schema.add_argument("schema", type=file_argument, metavar="FILE", help=doc)
    put_schema.add_argument("--breaking", action="store_true", help="records that are valid now may not be under it")
    show_schema = add_client_verb(schemas, "show", _show_schema, "show every version of a collection's schema")
    show_schema.add_argument("collection", metavar="COLLECTION", help="org.example.post")


async def _post(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        record = await client.records.post(args.collection, args.value, args.rkey)
        print_result(args, record, f"kept {record.uri}: {record.cid}")


async def _put(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        did, collection, rkey = args.record
        record = await client.records.put(
            collection,
            rkey,
            args.value,
            did=did or signed_in(client).did,
            if_match=args.if_match,
            if_none_match=args.if_none_match,
        )
        print_result(args, record, f"kept {record.uri}: {record.cid}")


def _owner(client: Client, did: str | None) -> str:
    if did is not None:
        return did
    if client.key is None:
        raise usage_error("name a DID, or a key file with --as")
    return client.key.did


async def _show(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        did, collection, rkey = args.record
        print_result(args, await client.records.get(_owner(client, did), collection, rkey, as_of=args.as_of))


async def _list(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        size = 100 if args.all else min(100, args.limit)
        listed = client.records.list(_owner(client, args.did), args.collection, page_size=size)
        columns = {"uri": "uri", "indexed": "indexed_at", "cid": "cid", "value": "value"}
        found = await taken(args, listed)
        if any(each.key_compromised for each in found):
            columns["key compromised by"] = "key_compromised_by"
        print_results(args, found, columns)


async def _delete(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        did, collection, rkey = args.record
        gone = await client.records.delete(collection, rkey, did=did or signed_in(client).did, if_match=args.if_match)
        print_result(args, gone, f"deleted {gone.uri}")


async def _put_schema(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        version = await client.schemas.put(args.collection, args.schema, breaking=args.breaking)
        print_result(args, version, f"version {version.version} of {version.collection}, named {version.name}")


async def _show_schema(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        found = await client.schemas.show(args.collection)
        if args.json:
            print_json(found.json)
            return
        rows = [[each.get(name) for name in ("version", "name", "breaking", "at", "schema")] for each in found.versions]
        print_table(("version", "name", "breaking", "put", "schema"), rows)

"""The tables of records: every version of a value that an owner has not had erased, and who was erased."""

from typing import Final

from projections.generations import Table
from projections.record_words import LIES_IN, WORDS

VERSION: Final = (
    "did", "collection", "rkey", "part", "pos", "at", "indexed_at", "cid", "value", "schema_version", "size",
    "until_pos", "until_at", "key_id", "subject", "said",
)  # fmt: skip
RECORDS: Final = Table("records", VERSION, ("did", "collection", "rkey", "pos"), ("value", "said"))
"""``pos`` and ``at`` (ms) are where this version was decided, ``until_*`` where another or none took its place.
``key_id`` is the registered key that opened the session which wrote it.

``subject`` and ``said`` follow from ``value``: the DID that it is about, and the text that people read.
"""
ERASED: Final = Table("erased_owners", ("did", "part", "pos", "at"), ("did",))
# What is pending in the index of words is read by each look into it: 128 kB are some 130 posts of twenty words, and
# the default is 4 MB.
DEFINITION: Final = """
CREATE TABLE {schema}.records (
  did text COLLATE "C" NOT NULL, collection text COLLATE "C" NOT NULL, rkey text COLLATE "C" NOT NULL,
  part integer NOT NULL, pos bigint NOT NULL, at bigint NOT NULL, indexed_at bigint NOT NULL, cid text NOT NULL,
  value text, schema_version bigint NOT NULL, size bigint NOT NULL, until_pos bigint, until_at bigint, key_id text,
  subject text COLLATE "C", said text, words tsvector GENERATED ALWAYS AS (<words>) STORED,
  PRIMARY KEY (did, collection, rkey, pos)) WITH (fillfactor = 90);
CREATE INDEX records_now ON {schema}.records (did, collection, indexed_at DESC, rkey) INCLUDE (part, pos)
  WHERE until_pos IS NULL;
CREATE INDEX records_of_owner ON {schema}.records (did, indexed_at DESC, rkey, collection) WHERE until_pos IS NULL;
CREATE INDEX records_before ON {schema}.records (did, until_pos) WHERE until_pos IS NOT NULL;
CREATE INDEX records_ended ON {schema}.records (part, until_pos) WHERE until_pos IS NOT NULL;
CREATE INDEX records_about ON {schema}.records (did, collection, subject) INCLUDE (pos, at, key_id)
  WHERE until_pos IS NULL AND subject IS NOT NULL;
CREATE INDEX records_of_subject ON {schema}.records (subject, collection, did) INCLUDE (at, key_id)
  WHERE until_pos IS NULL AND subject IS NOT NULL;
CREATE INDEX records_newest ON {schema}.records (collection, indexed_at DESC, rkey, did) INCLUDE (part, pos)
  WHERE until_pos IS NULL;
CREATE INDEX records_words ON {schema}.records USING gin (words, (<lies_in>))
  WITH (gin_pending_list_limit = 128) WHERE until_pos IS NULL;
CREATE TABLE {schema}.erased_owners (
  did text COLLATE "C" PRIMARY KEY, part integer NOT NULL, pos bigint NOT NULL, at bigint NOT NULL);
""".replace("<words>", WORDS).replace("<lies_in>", LIES_IN)

-- Version 1: the first schema. A file that has been released never changes; what is new goes into the next number.
-- Ids and hashes are blobs of their fixed length; seqs and lengths are the same 64 bits, signed; instants are
-- milliseconds since 1970.

-- Who this replica is: one row.
CREATE TABLE own (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  journal BLOB NOT NULL,
  device BLOB NOT NULL,
  salt BLOB NOT NULL,
  zone TEXT NOT NULL,
  place TEXT
) STRICT;

CREATE TABLE settings (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The member log from number 0, and sealed keys.
CREATE TABLE log (
  number INTEGER PRIMARY KEY,
  record BLOB NOT NULL
) STRICT;

CREATE TABLE blobs (
  hash BLOB PRIMARY KEY,
  bytes BLOB NOT NULL
) STRICT;

-- Chains with their tips; seq 0 and no hash before the first envelope.
CREATE TABLE chains (
  id BLOB PRIMARY KEY,
  device BLOB NOT NULL,
  salt BLOB NOT NULL,
  seq INTEGER NOT NULL,
  hash BLOB,
  head INTEGER NOT NULL,
  vouched_by BLOB,
  heard_ms INTEGER
) STRICT, WITHOUT ROWID;

-- An envelope with a reason is held; one without is merged.
CREATE TABLE envelopes (
  chain BLOB NOT NULL,
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL,
  bytes BLOB NOT NULL,
  actions INTEGER NOT NULL,
  reason TEXT,
  PRIMARY KEY (chain, seq)
) STRICT;

CREATE INDEX envelopes_held ON envelopes (chain, seq) WHERE reason IS NOT NULL;

CREATE TABLE waiting (
  hash BLOB PRIMARY KEY,
  reason TEXT NOT NULL,
  bytes BLOB NOT NULL
) STRICT;

-- What accepted snapshots cover.
CREATE TABLE covered (
  chain BLOB PRIMARY KEY,
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- A document is its base, then its parts, then its loose changes that are not folded into the base.
CREATE TABLE documents (
  name TEXT PRIMARY KEY,
  edition INTEGER NOT NULL,
  base BLOB
) STRICT;

CREATE TABLE parts (
  number INTEGER PRIMARY KEY,
  document TEXT NOT NULL,
  bytes BLOB NOT NULL
) STRICT;

CREATE INDEX parts_by_document ON parts (document);

-- Own changes that are in no envelope yet. Numbers never come back, so that a process that read one cannot mean another.
CREATE TABLE loose (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  document TEXT NOT NULL,
  chain BLOB NOT NULL,
  actions INTEGER NOT NULL,
  folded INTEGER NOT NULL,
  bytes BLOB NOT NULL
) STRICT;

CREATE INDEX loose_by_document ON loose (document) WHERE folded = 0;

CREATE TABLE tips (
  document TEXT NOT NULL,
  chain BLOB NOT NULL,
  seq INTEGER NOT NULL,
  max_op INTEGER NOT NULL,
  hash BLOB NOT NULL,
  PRIMARY KEY (document, chain)
) STRICT, WITHOUT ROWID;

CREATE TABLE relays (
  url TEXT PRIMARY KEY,
  log_length INTEGER NOT NULL,
  last_sync_ms INTEGER,
  last_error TEXT,
  quota_used INTEGER,
  quota_limit INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE relay_heads (
  url TEXT NOT NULL,
  chain BLOB NOT NULL,
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL,
  PRIMARY KEY (url, chain)
) STRICT, WITHOUT ROWID;

-- The read model: what the log and the documents say, ready to be listed.
CREATE TABLE members (
  device BLOB PRIMARY KEY,
  position INTEGER NOT NULL,
  device_name TEXT NOT NULL,
  person BLOB NOT NULL,
  person_name TEXT NOT NULL,
  role TEXT,
  joined INTEGER NOT NULL,
  paper INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE entries (
  id BLOB PRIMARY KEY,
  kind TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  chain BLOB NOT NULL,
  changed_ms INTEGER NOT NULL,
  text TEXT NOT NULL,
  json TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX entries_by_at ON entries (at_ms);

CREATE INDEX entries_by_kind ON entries (kind, at_ms);

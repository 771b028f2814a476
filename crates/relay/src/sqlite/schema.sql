-- Enrolment tokens: hashes only. A revoked token stays, so that its journals can still name it.
CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE,
  created INTEGER NOT NULL,
  revoked INTEGER
) STRICT, WITHOUT ROWID;

-- One row for each journal: where its log ends, and the bytes that it takes.
CREATE TABLE journals (
  number INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  length INTEGER NOT NULL,
  head BLOB NOT NULL,
  used INTEGER NOT NULL,
  created INTEGER NOT NULL,
  changed INTEGER NOT NULL,
  token TEXT REFERENCES tokens (id)
) STRICT;

-- Member-log records, as they travel.
CREATE TABLE records (
  journal INTEGER NOT NULL REFERENCES journals (number),
  place INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (journal, place)
) STRICT, WITHOUT ROWID;

-- Sealed keys. Those of invites go when the invite is used, withdrawn, or expires.
CREATE TABLE blobs (
  journal INTEGER NOT NULL REFERENCES journals (number),
  record INTEGER NOT NULL,
  hash BLOB NOT NULL,
  invite BLOB,
  expires INTEGER,
  bytes BLOB NOT NULL,
  PRIMARY KEY (journal, record, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX blobs_by_expiry ON blobs (expires) WHERE expires IS NOT NULL;

-- The devices that are members now, so that a key finds its journals.
CREATE TABLE members (
  device BLOB NOT NULL,
  journal INTEGER NOT NULL REFERENCES journals (number),
  signing BLOB NOT NULL,
  PRIMARY KEY (device, journal)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_journal ON members (journal);

-- Journals that an owner ended for good: the signed record that says so, and nothing else.
CREATE TABLE erased (
  id BLOB PRIMARY KEY,
  record BLOB NOT NULL,
  erased INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The tip of each chain, and whose it is.
CREATE TABLE chains (
  journal INTEGER NOT NULL REFERENCES journals (number),
  chain BLOB NOT NULL,
  device BLOB NOT NULL,
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL,
  head INTEGER NOT NULL,
  PRIMARY KEY (journal, chain)
) STRICT, WITHOUT ROWID;

-- Envelopes, as they travel, numbered in the order in which they came.
CREATE TABLE envelopes (
  number INTEGER PRIMARY KEY,
  journal INTEGER NOT NULL REFERENCES journals (number),
  chain BLOB NOT NULL,
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL,
  head INTEGER NOT NULL,
  bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX envelopes_by_place ON envelopes (journal, chain, seq);
CREATE INDEX envelopes_by_journal ON envelopes (journal);

-- What a readiness check writes.
CREATE TABLE probe (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  count INTEGER NOT NULL
) STRICT;

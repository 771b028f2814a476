-- Signed manifests of snapshots, in the order in which they came, with where their parts stand.
CREATE TABLE snapshots (
  number INTEGER PRIMARY KEY,
  journal INTEGER NOT NULL REFERENCES journals (number),
  hash BLOB NOT NULL,
  chain BLOB NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  last_hash BLOB NOT NULL,
  bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX snapshots_by_hash ON snapshots (journal, hash);

-- Who acknowledged which snapshot.
CREATE TABLE acknowledgements (
  journal INTEGER NOT NULL REFERENCES journals (number),
  snapshot BLOB NOT NULL,
  device BLOB NOT NULL,
  signature BLOB NOT NULL,
  PRIMARY KEY (journal, snapshot, device)
) STRICT, WITHOUT ROWID;

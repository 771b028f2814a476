-- Version 2: snapshots. The signed manifests of those that were made, checked, relied on or refused here, in the order in
-- which they came.
CREATE TABLE snapshots (
  number INTEGER PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE,
  bytes BLOB NOT NULL,
  state TEXT NOT NULL
) STRICT;

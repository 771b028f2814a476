-- Version 2: snapshots. The signed manifests of those that were made, checked, relied on or refused here, in the order in
-- which they came.
CREATE TABLE snapshots (
  number INTEGER PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE,
  bytes BLOB NOT NULL,
  state TEXT NOT NULL
) STRICT;

-- Who else has acknowledged them: the signatures, to be given to another relay.
CREATE TABLE acknowledgements (
  snapshot BLOB NOT NULL,
  device BLOB NOT NULL,
  signature BLOB NOT NULL,
  PRIMARY KEY (snapshot, device)
) STRICT, WITHOUT ROWID;

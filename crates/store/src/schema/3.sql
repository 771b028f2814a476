-- Version 3: the plan, and the last actions of this device.

-- The read model of the plan: the items of the profile that belong to it.
CREATE TABLE plan (
  key TEXT PRIMARY KEY,
  chain BLOB NOT NULL,
  json TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What was done on this device, so that it can be undone: never sent anywhere.
CREATE TABLE actions (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  undone INTEGER NOT NULL,
  json TEXT NOT NULL
) STRICT;

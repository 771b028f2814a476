-- Randoms of requests that must not be taken twice, with the second at which each was taken.
CREATE TABLE seen (
  key BLOB NOT NULL,
  random BLOB NOT NULL,
  time INTEGER NOT NULL,
  PRIMARY KEY (key, random)
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_by_time ON seen (time);

-- So that journals created with a token are counted without looking at all.
CREATE INDEX journals_by_token ON journals (token) WHERE token IS NOT NULL;

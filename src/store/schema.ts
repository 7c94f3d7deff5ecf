/**
 * Step n brings a database from user_version n to n + 1. Steps are only ever added. Keys of samples are
 * window x 2^24 + link (or + a counter, in `recent`), so that what is written together lies together, and what is old goes in one range.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE journal (seq INTEGER PRIMARY KEY, at TEXT NOT NULL, event TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
  CREATE TABLE anchor (seq INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
  INSERT INTO anchor VALUES (0, '${'0'.repeat(64)}');
  CREATE TABLE links (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, told INTEGER NOT NULL, seenMs INTEGER NOT NULL) STRICT;
  CREATE TABLE recent (key INTEGER PRIMARY KEY, records BLOB NOT NULL) STRICT;
  CREATE TABLE own_seconds (key INTEGER PRIMARY KEY, points BLOB NOT NULL) STRICT;
  CREATE TABLE own_tens (key INTEGER PRIMARY KEY, points BLOB NOT NULL) STRICT;
  CREATE TABLE own_minutes (key INTEGER PRIMARY KEY, points BLOB NOT NULL) STRICT;
  CREATE TABLE told_tens (key INTEGER PRIMARY KEY, points BLOB NOT NULL) STRICT;
  CREATE TABLE told_minutes (key INTEGER PRIMARY KEY, points BLOB NOT NULL) STRICT;
  `,
  // The past. `pair` and `bad` are read off the events, so that the turns of one link, and when anything changed, are found without reading
  // the journal through. json_valid: an entry that a hasty hand spoiled must not make the whole database unusable.
  `
  CREATE TABLE runs (
    startMs INTEGER PRIMARY KEY, fromMs INTEGER NOT NULL, endMs INTEGER NOT NULL, bytes INTEGER NOT NULL, card TEXT NOT NULL
  ) STRICT;
  CREATE TABLE facts (
    run INTEGER NOT NULL, identity BLOB NOT NULL, atMs INTEGER NOT NULL, kind INTEGER NOT NULL, hash BLOB NOT NULL, record BLOB NOT NULL,
    PRIMARY KEY (run, identity, atMs)
  ) STRICT, WITHOUT ROWID;
  ALTER TABLE journal ADD COLUMN pair TEXT AS (
    CASE WHEN json_valid(event) THEN CASE WHEN event ->> 'type' = 'link.changed'
      THEN (event ->> 'fromNode') || '>' || (event ->> 'toName') END END
  ) VIRTUAL;
  ALTER TABLE journal ADD COLUMN bad INTEGER AS (
    CASE WHEN json_valid(event) THEN CASE WHEN event ->> 'type' IN ('link.changed', 'member.changed')
      THEN event ->> 'to' IN ('slow', 'lossy', 'partial', 'one-way', 'down', 'stale') END END
  ) VIRTUAL;
  CREATE INDEX turns ON journal (pair) WHERE pair IS NOT NULL;
  CREATE INDEX changes ON journal (at, bad) WHERE bad IS NOT NULL;
  `,
]

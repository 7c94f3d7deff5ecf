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
]

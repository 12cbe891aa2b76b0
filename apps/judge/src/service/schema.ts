/** The judge's own database, `judge.db`: users, submissions and their judgings. */
import { type Database, openDatabase } from '@skein/state/database';

const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE service (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE users (
    name TEXT PRIMARY KEY,
    admin INTEGER NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES users (name),
    -- sha-256 of the token, which is shown once and kept nowhere.
    hash TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX keys_of_user ON keys (user);

  -- What was learned about a package, by the digest of its archive.
  CREATE TABLE packages (
    digest TEXT PRIMARY KEY,
    short_name TEXT NOT NULL,
    time_ms REAL,
    time_job TEXT,
    failure TEXT
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE submissions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user TEXT NOT NULL REFERENCES users (name),
    problem TEXT NOT NULL,
    language TEXT,
    entry_point TEXT,
    -- The artifact with its files.
    source TEXT NOT NULL,
    source_bytes INTEGER NOT NULL,
    submitted_at INTEGER NOT NULL,
    -- The judging that counts: the last one.
    judging INTEGER NOT NULL DEFAULT 1
  ) STRICT;
  CREATE INDEX submissions_of_user ON submissions (user, id);
  CREATE INDEX submissions_to_problem ON submissions (problem, id);

  -- One row per time that a submission was, or is being, judged.
  CREATE TABLE judgings (
    submission INTEGER NOT NULL REFERENCES submissions (id),
    number INTEGER NOT NULL,
    package TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    requested_by TEXT NOT NULL,
    job TEXT,
    judged_at INTEGER,
    verdict TEXT,
    reason TEXT,
    score REAL,
    max_score REAL,
    failing_test TEXT,
    language TEXT,
    cpu_ms REAL,
    wall_ms REAL,
    memory_bytes INTEGER,
    compile_output TEXT,
    groups TEXT,
    attempts INTEGER,
    PRIMARY KEY (submission, number)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX judgings_open ON judgings (submission) WHERE judged_at IS NULL;

  CREATE TABLE tests (
    submission INTEGER NOT NULL,
    judging INTEGER NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    verdict TEXT NOT NULL,
    reason TEXT NOT NULL,
    cpu_ms REAL NOT NULL,
    wall_ms REAL NOT NULL,
    memory_bytes INTEGER NOT NULL,
    passes INTEGER NOT NULL,
    score REAL,
    -- JSON: messages, hint and feedback, where there are any.
    details TEXT,
    PRIMARY KEY (submission, judging, position),
    FOREIGN KEY (submission, judging) REFERENCES judgings (submission, number)
  ) STRICT, WITHOUT ROWID;
  `,
];

/** @throws SkeinError STATE_CORRUPT, STATE_TOO_NEW, STORAGE_FULL, DATA_FOLDER_UNUSABLE. */
export function openJudgeDatabase(path: string): Database {
  return openDatabase(path, MIGRATIONS);
}

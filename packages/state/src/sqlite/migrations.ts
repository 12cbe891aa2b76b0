/**
 * The schema as a list of steps. A released step is never edited: `user_version` in the file counts
 * the applied steps, and a change of the schema is a new step.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE version_numbers (
    model TEXT PRIMARY KEY,
    last INTEGER NOT NULL -- survives the removal of a version: a number is never given twice
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE versions (
    model TEXT NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    digest TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    signature TEXT NOT NULL, -- JSON
    metadata TEXT NOT NULL, -- JSON
    created_at TEXT NOT NULL,
    PRIMARY KEY (model, number)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX versions_by_content ON versions (model, digest);

  CREATE TABLE deployments (
    name TEXT PRIMARY KEY,
    revision INTEGER NOT NULL, -- survives removal: a writer from before must not match a later namesake
    live INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE deployment_revisions (
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    settings TEXT NOT NULL, -- JSON
    targets TEXT NOT NULL, -- JSON
    updated_at TEXT NOT NULL,
    unloaded INTEGER NOT NULL DEFAULT 0,
    rollout TEXT, -- JSON, of a fleet
    PRIMARY KEY (name, revision)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    deployment TEXT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    details TEXT NOT NULL, -- JSON
    actor TEXT NOT NULL
  ) STRICT;
  CREATE INDEX history_by_deployment ON history (deployment, id);
  CREATE INDEX history_by_kind ON history (deployment, kind, id);

  CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    secret_hash TEXT NOT NULL,
    label TEXT NOT NULL,
    tenant TEXT NOT NULL,
    scopes TEXT NOT NULL, -- JSON
    rate_per_second REAL,
    max_concurrent INTEGER,
    created_at TEXT NOT NULL,
    expires_at TEXT,
    revoked_at TEXT,
    weight REAL -- share of the tenant
  ) STRICT;

  CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    outcome TEXT NOT NULL,
    remote TEXT NOT NULL
  ) STRICT;

  CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    status TEXT NOT NULL,
    started_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    summary TEXT NOT NULL, -- JSON: everything but the epochs, and the last of those
    epochs TEXT NOT NULL -- JSON
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX runs_by_start ON runs (started_at, id);

  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO meta VALUES ('epoch', lower(hex(randomblob(16)))), ('schema', '1');

  CREATE TABLE changes (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    revision INTEGER,
    removed INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE members (
    incarnation TEXT PRIMARY KEY,
    info TEXT NOT NULL, -- JSON
    joined_at INTEGER NOT NULL, -- ms since the epoch, as all times here
    renewed_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    token INTEGER NOT NULL, -- survives the end of the lease: a token is never given twice
    ends_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE shares (
    limit_id TEXT NOT NULL,
    member TEXT NOT NULL,
    demand REAL NOT NULL,
    share REAL NOT NULL,
    ends_at INTEGER NOT NULL,
    PRIMARY KEY (limit_id, member)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE declarations (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL, -- JSON
    updated_at TEXT NOT NULL,
    PRIMARY KEY (kind, name)
  ) STRICT, WITHOUT ROWID;

  -- Spending of language models.
  CREATE TABLE budgets (
    name TEXT PRIMARY KEY,
    taken INTEGER NOT NULL,
    ends_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- Answers of language models that callers may read again.
  CREATE TABLE responses (
    owner TEXT NOT NULL,
    id TEXT NOT NULL,
    previous TEXT, -- the response that it continues
    value TEXT NOT NULL, -- JSON
    bytes INTEGER NOT NULL, -- of the value
    ends_at INTEGER NOT NULL,
    sequence INTEGER PRIMARY KEY,
    UNIQUE (owner, id)
  ) STRICT;
  CREATE INDEX responses_by_end ON responses (ends_at);
  `,
];

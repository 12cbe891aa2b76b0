/**
 * The schema of `jobs.db`, as the steps that made it; a released step is never edited.
 *
 * Every index that scheduling uses is partial: it holds the jobs of one moment of their lives, so
 * that ended jobs cost a claim nothing and 100,000 waiting ones cost a logarithm.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY, -- order of enqueueing
    id TEXT NOT NULL UNIQUE,
    queue TEXT NOT NULL,
    tenant TEXT NOT NULL,
    grp TEXT,
    idempotency_key TEXT,
    cache_key TEXT,
    priority REAL NOT NULL,
    millicores INTEGER NOT NULL,
    memory_bytes INTEGER NOT NULL,
    lane INTEGER NOT NULL, -- id in lanes
    gang INTEGER, -- id in gangs
    gang_rank INTEGER,

    state TEXT NOT NULL,
    cause TEXT,
    message TEXT,
    enqueued_at INTEGER NOT NULL,
    retention_ms INTEGER NOT NULL,
    ready_at INTEGER,
    started_at INTEGER,
    ended_at INTEGER,
    waits_for INTEGER NOT NULL, -- parents that have not succeeded
    wait_until INTEGER, -- notBefore or the backoff, while it lies ahead
    deadline INTEGER, -- while it has not ended
    expires_at INTEGER, -- once it has ended
    rank REAL, -- place in its lane, while it is ready
    attempts INTEGER NOT NULL,
    failures INTEGER NOT NULL, -- attempts that count against the retry policy
    token INTEGER, -- of the running attempt
    held INTEGER NOT NULL DEFAULT 0, -- gang member that succeeded before the others have
    reserved_by TEXT, -- worker that keeps a place for this gang member
    reserved_until INTEGER,
    progress TEXT, -- JSON
    result TEXT, -- JSON
    cached_from TEXT,
    checkpoint TEXT
  ) STRICT;
  CREATE UNIQUE INDEX jobs_by_idempotency ON jobs (tenant, queue, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
  CREATE INDEX jobs_in_lane ON jobs (lane, rank, seq) WHERE state = 'ready' AND gang IS NULL;
  CREATE INDEX jobs_oldest_ready ON jobs (queue, ready_at) WHERE state = 'ready';
  CREATE INDEX jobs_waiting ON jobs (wait_until) WHERE wait_until IS NOT NULL;
  CREATE INDEX jobs_by_deadline ON jobs (deadline) WHERE deadline IS NOT NULL;
  CREATE INDEX jobs_by_expiry ON jobs (expires_at) WHERE expires_at IS NOT NULL;
  CREATE INDEX jobs_by_gang ON jobs (gang, gang_rank) WHERE gang IS NOT NULL;
  CREATE INDEX jobs_reserved ON jobs (reserved_by) WHERE reserved_by IS NOT NULL;
  CREATE INDEX jobs_by_group ON jobs (grp, seq) WHERE grp IS NOT NULL;
  CREATE INDEX jobs_ended ON jobs (queue, state) WHERE ended_at IS NOT NULL;
  CREATE INDEX jobs_blocked ON jobs (queue) WHERE state = 'blocked';
  CREATE INDEX jobs_held ON jobs (gang) WHERE held = 1;
  CREATE INDEX jobs_by_tenant ON jobs (tenant, seq);

  -- Apart from jobs, whose rows every change of a state writes again.
  CREATE TABLE specs (
    seq INTEGER PRIMARY KEY, -- of the job
    spec TEXT NOT NULL -- JSON of JobSpec
  ) STRICT;

  CREATE TABLE edges (
    parent TEXT NOT NULL, -- id, which may be removed before the child
    child INTEGER NOT NULL,
    PRIMARY KEY (parent, child)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE attempts (
    token INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: the fencing token
    job INTEGER NOT NULL,
    number INTEGER NOT NULL,
    worker TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    outcome TEXT,
    message TEXT,
    usage TEXT, -- JSON
    lease_until INTEGER, -- while it runs
    lease_ms INTEGER NOT NULL,
    signal TEXT, -- 'preempt' while it runs, 'cancel' once it was cancelled
    delivered INTEGER NOT NULL -- 0: a gang member whose worker has not fetched it
  ) STRICT;
  CREATE INDEX attempts_by_job ON attempts (job, number);
  CREATE INDEX leases_by_time ON attempts (lease_until) WHERE lease_until IS NOT NULL;
  CREATE INDEX leases_undelivered ON attempts (worker)
    WHERE lease_until IS NOT NULL AND delivered = 0;

  CREATE TABLE lanes (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    tenant TEXT NOT NULL,
    class TEXT NOT NULL,
    requires TEXT NOT NULL, -- JSON
    ready INTEGER NOT NULL,
    UNIQUE (queue, tenant, class)
  ) STRICT;
  CREATE INDEX lanes_with_work ON lanes (queue) WHERE ready > 0;

  CREATE TABLE gangs (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    queue TEXT NOT NULL,
    lane INTEGER NOT NULL,
    size INTEGER NOT NULL,
    rank REAL, -- place in its lane, while all of it is ready
    not_before INTEGER NOT NULL DEFAULT 0, -- after an assembly that did not come about
    assemblies INTEGER NOT NULL DEFAULT 0,
    assembling_until INTEGER,
    host TEXT,
    port INTEGER,
    UNIQUE (tenant, name)
  ) STRICT;
  CREATE INDEX gangs_in_lane ON gangs (lane, rank) WHERE rank IS NOT NULL;
  CREATE INDEX gangs_assembling ON gangs (queue, assembling_until) WHERE assembling_until IS NOT NULL;

  CREATE TABLE logs (
    token INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    chunk BLOB NOT NULL,
    PRIMARY KEY (token, offset)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE cache (
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    job TEXT NOT NULL,
    PRIMARY KEY (tenant, key)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE tenants (
    tenant TEXT PRIMARY KEY,
    weight REAL NOT NULL DEFAULT 1,
    max_running INTEGER,
    max_queued INTEGER,
    jobs_per_second REAL,
    bucket_tokens REAL,
    bucket_at INTEGER,
    virtual_time REAL NOT NULL DEFAULT 0,
    queued INTEGER NOT NULL DEFAULT 0,
    running INTEGER NOT NULL DEFAULT 0,
    millicores INTEGER NOT NULL DEFAULT 0, -- held by running jobs
    memory_bytes INTEGER NOT NULL DEFAULT 0,
    log_bytes INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE queues (
    queue TEXT PRIMARY KEY,
    mode TEXT NOT NULL DEFAULT 'open'
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE counts (
    queue TEXT NOT NULL,
    state TEXT NOT NULL,
    jobs INTEGER NOT NULL,
    PRIMARY KEY (queue, state)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE workers (
    worker TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    queues TEXT NOT NULL, -- JSON
    labels TEXT NOT NULL, -- JSON
    millicores INTEGER NOT NULL,
    memory_bytes INTEGER NOT NULL,
    mode TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    started_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE schedules (
    id TEXT PRIMARY KEY,
    cron TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    spec TEXT NOT NULL, -- JSON
    next_at INTEGER NOT NULL,
    paused INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX schedules_by_time ON schedules (next_at) WHERE paused = 0;

  CREATE TABLE events (
    last INTEGER PRIMARY KEY, -- sequence of the last; the newest row is never removed, so it only grows
    events TEXT NOT NULL -- JSON: the events of one transaction, in their order
  ) STRICT;

  CREATE TABLE clock (virtual_time REAL NOT NULL) STRICT;
  INSERT INTO clock VALUES (0);

  -- The artifacts that the jobs of a tenant name.
  CREATE TABLE holdings (
    tenant TEXT NOT NULL,
    digest TEXT NOT NULL, -- of an artifact
    size_bytes INTEGER NOT NULL,
    PRIMARY KEY (tenant, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX holdings_by_digest ON holdings (digest);

  CREATE TABLE log_sizes (
    tenant TEXT NOT NULL,
    token INTEGER NOT NULL, -- of the attempt
    bytes INTEGER NOT NULL,
    PRIMARY KEY (tenant, token)
  ) STRICT, WITHOUT ROWID;

  -- How attempts ended, for removed jobs too.
  CREATE TABLE outcomes (
    queue TEXT NOT NULL,
    outcome TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    PRIMARY KEY (queue, outcome)
  ) STRICT, WITHOUT ROWID;
  `,
];

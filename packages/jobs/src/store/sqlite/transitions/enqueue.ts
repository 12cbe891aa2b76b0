/** Accepts jobs: all of a call or none. */
import { SkeinError } from '@skein/api/errors';
import { hasEnded } from '@skein/api/job-states';
import type { JobSpec, SubmissionQuota } from '../../../contract.ts';
import { checkSpecs } from '../../check-specs.ts';
import { newJobId } from '../../job-id.ts';
import { laneClass, laneRank, millicores } from '../../lane.ts';
import { takeTokens } from '../../rate-limit.ts';
import { insertRow, rowById, rowBySeq, type JobRow } from '../job-row.ts';
import { move } from './move.ts';
import type { Sql } from '../sql.ts';
import { end, settle } from './transition.ts';
import type { Transaction } from '../transaction.ts';

type Given = JobSpec & { readonly id?: string };

/**
 * @returns in the order of the specs the new rows that are as they will be, with specs as they were
 * given, and the ids of jobs that are older or have consequences yet to come.
 */
export function enqueue(
  transaction: Transaction,
  specs: readonly Given[],
  quota?: SubmissionQuota,
): (JobRow | string)[] {
  checkSpecs(specs);
  const known = findRepeated(transaction.sql, specs);
  const fresh = specs
    .map((spec, index) => ({ spec, index }))
    .filter(({ index }) => known.get(index) === undefined);
  admit(
    transaction,
    fresh.map(({ spec }) => spec),
    quota,
  );
  // A spec that repeats an earlier one stands for the job that exists, also as a parent.
  const ids = specs.map((spec, index) => {
    const same = known.get(index);
    if (same === undefined) return spec.id ?? newJobId(transaction.now);
    return typeof same === 'string' ? same : undefined;
  });
  for (const [index, same] of known) if (typeof same === 'number') ids[index] = ids[same];
  const alias = new Map<string, string>();
  for (const [index, spec] of specs.entries()) {
    if (spec.id !== undefined) alias.set(spec.id, ids[index] ?? spec.id);
  }
  const batch = new Set(fresh.map(({ index }) => ids[index] ?? ''));
  const accepted = fresh.map(({ spec, index }) => ({
    id: ids[index] ?? '',
    spec: {
      ...spec,
      parents: [...new Set(spec.parents.map((parent) => alias.get(parent) ?? parent))],
    },
  }));
  checkCycles(accepted, batch);
  const made = new Map<string, JobRow>();
  const lanes: Lanes = new Map();
  for (const { id, spec } of accepted) {
    const row = insert(transaction, id, spec, batch, lanes);
    if (row.state === 'ready' && spec.parents.length === 0) made.set(id, row);
  }
  return ids.map((id = '') => made.get(id) ?? id);
}

/** @returns per index of a repeated spec: the id of the job that exists, or the earlier index of this call. */
function findRepeated(sql: Sql, specs: readonly Given[]): Map<number, string | number> {
  const known = new Map<number, string | number>();
  const inCall = new Map<string, number>();
  for (const [index, { tenant, queue, idempotencyKey }] of specs.entries()) {
    if (idempotencyKey === undefined) continue;
    const found = sql.get<{ id: string }>(
      'SELECT id FROM jobs WHERE tenant = ? AND queue = ? AND idempotency_key = ?',
      tenant,
      queue,
      idempotencyKey,
    );
    const key = JSON.stringify([tenant, queue, idempotencyKey]);
    const earlier = inCall.get(key);
    if (found) known.set(index, found.id);
    else if (earlier !== undefined) known.set(index, earlier);
    else inCall.set(key, index);
  }
  return known;
}

interface Limits {
  readonly max_queued: number | null;
  readonly jobs_per_second: number | null;
  readonly queued: number;
  readonly bucket_tokens: number | null;
  readonly bucket_at: number | null;
}

/** @throws SkeinError QUEUE_DRAINING, TENANT_QUOTA, RATE_LIMITED. */
function admit(
  { sql, now, unwritten }: Transaction,
  specs: readonly Given[],
  quota: SubmissionQuota | undefined,
): void {
  for (const queue of new Set(specs.map((spec) => spec.queue))) {
    sql.run('INSERT OR IGNORE INTO queues (queue) VALUES (?)', queue);
    const mode = sql.get<{ mode: string }>('SELECT mode FROM queues WHERE queue = ?', queue)?.mode;
    if (mode === 'draining') {
      throw new SkeinError('QUEUE_DRAINING', `Queue "${queue}" is being drained.`);
    }
  }
  for (const [tenant, theirs] of Map.groupBy(specs, (spec) => spec.tenant)) {
    sql.run('INSERT OR IGNORE INTO tenants (tenant) VALUES (?)', tenant);
    const limits = sql.get<Limits>('SELECT * FROM tenants WHERE tenant = ?', tenant);
    if (!limits) continue;
    const most = limits.max_queued ?? quota?.maxQueued ?? null;
    const rate = limits.jobs_per_second ?? quota?.jobsPerSecond ?? null;
    const queued = limits.queued + (unwritten.tenants.get(tenant)?.queued ?? 0);
    if (most !== null && queued + theirs.length > most) {
      throw new SkeinError(
        'TENANT_QUOTA',
        `Tenant "${tenant}" has ${queued} jobs queued and may have ${most}; ${theirs.length} more were sent.`,
      );
    }
    if (rate === null) continue;
    const bucket =
      limits.bucket_tokens === null || limits.bucket_at === null
        ? undefined
        : { tokens: limits.bucket_tokens, at: limits.bucket_at };
    const taken = takeTokens(bucket, rate, theirs.length, now);
    if ('retryAfterMs' in taken) {
      throw new SkeinError(
        'RATE_LIMITED',
        `Tenant "${tenant}" may enqueue ${rate} jobs per second.`,
        {
          retryAfterMs: taken.retryAfterMs,
        },
      );
    }
    sql.run(
      'UPDATE tenants SET bucket_tokens = ?, bucket_at = ? WHERE tenant = ?',
      taken.bucket.tokens,
      taken.bucket.at,
      tenant,
    );
  }
}

/** @throws SkeinError REQUEST_INVALID when jobs of the call wait for each other in a circle. */
function checkCycles(
  jobs: readonly { id: string; spec: JobSpec }[],
  batch: ReadonlySet<string>,
): void {
  const open = new Map<string, number>();
  const children = new Map<string, string[]>();
  for (const { id, spec } of jobs) {
    const parents = spec.parents.filter((parent) => batch.has(parent));
    open.set(id, parents.length);
    for (const parent of parents) {
      const known = children.get(parent);
      if (known) known.push(id);
      else children.set(parent, [id]);
    }
  }
  if (children.size === 0) return;
  const free = [...open].filter(([, parents]) => parents === 0).map(([id]) => id);
  for (let next = 0; next < free.length; next += 1) {
    for (const child of children.get(free[next] ?? '') ?? []) {
      const left = (open.get(child) ?? 0) - 1;
      open.set(child, left);
      if (left === 0) free.push(child);
    }
  }
  if (free.length === jobs.length) return;
  const stuck = jobs.find(({ id }) => (open.get(id) ?? 0) > 0);
  throw new SkeinError(
    'REQUEST_INVALID',
    `Job "${stuck?.spec.name}" waits for itself in a circle of parents.`,
  );
}

function insert(
  transaction: Transaction,
  id: string,
  spec: Given,
  batch: ReadonlySet<string>,
  lanes: Lanes,
): JobRow {
  const { sql, now } = transaction;
  const { id: _, ...kept } = spec;
  let waitsFor = 0;
  let failedParent: string | undefined;
  for (const parent of spec.parents) {
    if (batch.has(parent)) {
      waitsFor += 1;
      continue;
    }
    const state = rowById(sql, parent)?.state;
    if (state === undefined) {
      throw new SkeinError(
        'PARENT_UNKNOWN',
        `Job "${spec.name}" names the parent ${parent}, which does not exist.`,
      );
    }
    if (state === 'succeeded') continue;
    if (hasEnded(state)) failedParent = parent;
    waitsFor += 1;
  }
  if (spec.id !== undefined && rowById(sql, id)) {
    throw new SkeinError('REQUEST_INVALID', `The id "${id}" belongs to another job.`);
  }
  const lane = laneOf(sql, spec, lanes);
  const gang = spec.gang ? joinGang(sql, spec, spec.gang, lane) : null;
  const waitUntil = spec.notBefore !== undefined && spec.notBefore > now ? spec.notBefore : null;
  const simple =
    waitsFor === 0 && waitUntil === null && gang === null && spec.cacheKey === undefined;
  const unsaved: Omit<JobRow, 'seq'> = {
    id,
    queue: spec.queue,
    tenant: spec.tenant,
    grp: spec.group ?? null,
    idempotency_key: spec.idempotencyKey ?? null,
    cache_key: spec.cacheKey ?? null,
    priority: spec.priority,
    millicores: millicores(spec.resources.cores),
    memory_bytes: spec.resources.memoryBytes,
    lane,
    gang,
    gang_rank: spec.gang?.rank ?? null,
    enqueued_at: now,
    retention_ms: spec.retentionMs,
    state: simple ? 'ready' : 'blocked',
    cause: null,
    message: null,
    ready_at: simple ? now : null,
    started_at: null,
    ended_at: null,
    waits_for: waitsFor,
    wait_until: waitUntil,
    deadline: spec.deadline ?? null,
    expires_at: null,
    rank: simple ? laneRank(spec.priority, now) : null,
    attempts: 0,
    failures: 0,
    token: null,
    held: 0,
    reserved_by: null,
    reserved_until: null,
    progress: null,
    result: null,
    cached_from: null,
    checkpoint: null,
  };
  const row = insertRow(sql, unsaved, kept);
  const { seq } = row;
  for (const parent of spec.parents) sql.run('INSERT INTO edges VALUES (?, ?)', parent, seq);
  move(transaction, row, row.state, undefined);
  if (simple) {
    transaction.notifications.queues.add(spec.queue);
  } else {
    transaction.later.push(() => {
      const row = rowBySeq(sql, seq);
      if (row.state !== 'blocked') return;
      if (failedParent !== undefined) {
        end(
          transaction,
          row,
          'failed',
          'parent-failed',
          `Its parent ${failedParent} did not succeed.`,
        );
      } else settle(transaction, row);
    });
  }
  return row;
}

/** Lanes of the jobs of this call so far: most of them share one. */
type Lanes = Map<string, number>;

function laneOf(sql: Sql, spec: JobSpec, lanes: Lanes): number {
  const name = laneClass(spec);
  const key = JSON.stringify([spec.queue, spec.tenant, name]);
  let lane = lanes.get(key);
  if (lane === undefined) {
    lane =
      sql.get<{ id: number }>(
        'SELECT id FROM lanes WHERE queue = ? AND tenant = ? AND class = ?',
        spec.queue,
        spec.tenant,
        name,
      )?.id ?? newLane(sql, spec, name);
    lanes.set(key, lane);
  }
  return lane;
}

const newLane = (sql: Sql, spec: JobSpec, name: string): number =>
  sql.run(
    'INSERT INTO lanes (queue, tenant, class, requires, ready) VALUES (?, ?, ?, ?, 0)',
    spec.queue,
    spec.tenant,
    name,
    JSON.stringify(spec.gang ? [] : spec.requires),
  ).lastId;

function joinGang(
  sql: Sql,
  spec: JobSpec,
  { id, size, rank }: NonNullable<JobSpec['gang']>,
  lane: number,
): number {
  sql.run(
    'INSERT OR IGNORE INTO gangs (tenant, name, queue, lane, size) VALUES (?, ?, ?, ?, ?)',
    spec.tenant,
    id,
    spec.queue,
    lane,
    size,
  );
  const gang = sql.get<{ id: number; size: number; queue: string }>(
    'SELECT id, size, queue FROM gangs WHERE tenant = ? AND name = ?',
    spec.tenant,
    id,
  );
  if (!gang) throw new Error(`Gang ${id} is missing.`);
  const taken = sql.get('SELECT 1 FROM jobs WHERE gang = ? AND gang_rank = ?', gang.id, rank);
  if (gang.size !== size || gang.queue !== spec.queue || taken) {
    throw new SkeinError(
      'REQUEST_INVALID',
      `Rank ${rank} does not fit gang "${id}" of ${gang.size} in queue "${gang.queue}": ${taken ? 'it is there already' : 'its size and queue are the same for every member'}.`,
    );
  }
  return gang.id;
}

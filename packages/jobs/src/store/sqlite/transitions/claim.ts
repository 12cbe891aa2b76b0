/**
 * Gives a worker what fits its offer: first the gang members that were placed on it, then places
 * for gangs that are being assembled, then jobs, tenant by tenant in the order of fair share.
 */
import type { WorkerOffer } from '../../../contract.ts';
import { LOOK_AHEAD } from '../../bounds.ts';
import { charge, compareShares, type Resources, type TenantShare } from '../../fair-share.ts';
import { millicores } from '../../lane.ts';
import { beginAssembly, deliverPlaced, growAssemblies, keepReservations } from './assembly.ts';
import { openAttempt } from './attempt.ts';
import { viewOf, type JobRow } from '../job-row.ts';
import type { ClaimView } from '../job-view.ts';
import { fits, hasLabels, occupy, type Capacity } from '../capacity.ts';
import { takeCached } from './transition.ts';
import type { Transaction } from '../transaction.ts';
import { fleetTotal, seen } from '../worker-list.ts';

export function claim(transaction: Transaction, offer: WorkerOffer): ClaimView[] {
  if (!seen(transaction, offer.worker)) return [];
  const capacity: Capacity = {
    offer,
    millicores: millicores(offer.free.cores),
    memoryBytes: offer.free.memoryBytes,
    places: offer.max,
    claims: [],
  };
  const queues = openQueues(transaction, offer.queues);
  deliverPlaced(transaction, capacity);
  keepReservations(transaction, capacity);
  growAssemblies(transaction, capacity, queues);
  if (capacity.places > 0) fillFairly(transaction, capacity, queues);
  return capacity.claims;
}

function openQueues({ sql }: Transaction, queues: readonly string[]): string[] {
  return queues.filter(
    (queue) =>
      sql.get<{ mode: string }>('SELECT mode FROM queues WHERE queue = ?', queue)?.mode !==
      'paused',
  );
}

interface Lane {
  readonly id: number;
  readonly queue: string;
  readonly tenant: string;
  readonly class: string;
  readonly requires: string;
  /** Candidates read and not yet taken or passed over, best first. */
  page?: JobRow[];
  /** Candidates passed over, since they do not fit. */
  passed?: number;
}

interface Contender extends TenantShare {
  held: Resources;
  virtualTime: number;
  running: number;
  readonly mostRunning: number;
  /** Lanes that may still have something for this offer. */
  lanes: Lane[];
}

function fillFairly(transaction: Transaction, capacity: Capacity, queues: readonly string[]): void {
  const { sql } = transaction;
  const total = fleetTotal(sql);
  let contenders = contendersFor(transaction, capacity.offer, queues);
  let clock =
    sql.get<{ virtual_time: number }>('SELECT virtual_time FROM clock')?.virtual_time ?? 0;
  let charged = false;
  const served = new Set<Contender>();
  while (capacity.places > 0 && contenders.length > 0) {
    const next = contenders.reduce((a, b) => (compareShares(a, b, total) <= 0 ? a : b));
    const started = startNext(transaction, capacity, next);
    if (started) {
      ({ virtualTime: next.virtualTime, clock } = charge(next, started, total, clock));
      next.held = {
        millicores: next.held.millicores + started.millicores,
        memoryBytes: next.held.memoryBytes + started.memoryBytes,
      };
      next.running += started.jobs;
      served.add(next);
      charged = true;
    }
    if (next.lanes.length === 0 || next.running >= next.mostRunning) {
      contenders = contenders.filter((contender) => contender !== next);
    }
  }
  for (const { tenant, virtualTime } of served) {
    sql.run('UPDATE tenants SET virtual_time = ? WHERE tenant = ?', virtualTime, tenant);
  }
  if (charged) sql.run('UPDATE clock SET virtual_time = ?', clock);
}

interface TenantRow {
  readonly weight: number;
  readonly max_running: number | null;
  readonly virtual_time: number;
  readonly running: number;
  readonly millicores: number;
  readonly memory_bytes: number;
}

function contendersFor(
  { sql }: Transaction,
  offer: WorkerOffer,
  queues: readonly string[],
): Contender[] {
  const contenders = new Map<string, Contender>();
  for (const queue of queues) {
    const lanes = sql.all<Lane>('SELECT * FROM lanes WHERE queue = ? AND ready > 0', queue);
    for (const lane of lanes) {
      if (lane.requires !== '[]' && !hasLabels(offer, JSON.parse(lane.requires) as string[])) {
        continue;
      }
      const known = contenders.get(lane.tenant);
      if (known) {
        known.lanes.push(lane);
        continue;
      }
      const tenant = sql.get<TenantRow>('SELECT * FROM tenants WHERE tenant = ?', lane.tenant);
      if (!tenant || tenant.running >= (tenant.max_running ?? Infinity)) continue;
      contenders.set(lane.tenant, {
        tenant: lane.tenant,
        weight: tenant.weight,
        held: { millicores: tenant.millicores, memoryBytes: tenant.memory_bytes },
        virtualTime: tenant.virtual_time,
        running: tenant.running,
        mostRunning: tenant.max_running ?? Infinity,
        lanes: [lane],
      });
    }
  }
  return [...contenders.values()];
}

type Started = Resources & { readonly jobs: number };

/**
 * Starts the tenant's best job that fits, or begins to assemble its best gang; drops the lanes that
 * have nothing for this offer.
 */
function startNext(
  transaction: Transaction,
  capacity: Capacity,
  contender: Contender,
): Started | undefined {
  let best: { lane: Lane; row: JobRow } | undefined;
  const useful: Lane[] = [];
  for (const lane of contender.lanes) {
    if (lane.class === 'gang') {
      const gang = beginAssembly(
        transaction,
        capacity,
        lane,
        contender.mostRunning - contender.running,
      );
      if (gang) {
        contender.lanes = contender.lanes.filter((other) => other !== lane);
        return gang;
      }
      continue;
    }
    const row = firstFitting(transaction, capacity, lane);
    if (!row) continue;
    useful.push(lane);
    if (!best || order(row, best.row) < 0) best = { lane, row };
  }
  contender.lanes = useful;
  if (!best) return undefined;
  const { row, lane } = best;
  lane.page?.shift();
  if (takeCached(transaction, row)) return undefined;
  occupy(capacity, row);
  const token = openAttempt(transaction, row, {
    worker: capacity.offer.worker,
    leaseMs: capacity.offer.leaseMs,
    delivered: true,
  });
  capacity.claims.push({ job: viewOf(transaction.sql, row), token, attempt: row.attempts });
  return { millicores: row.millicores, memoryBytes: row.memory_bytes, jobs: 1 };
}

const order = (a: JobRow, b: JobRow): number => (a.rank ?? 0) - (b.rank ?? 0) || a.seq - b.seq;

/** The capacity only shrinks, so a job that does not fit now will not fit later. */
function firstFitting({ sql }: Transaction, capacity: Capacity, lane: Lane): JobRow | undefined {
  lane.page ??= [];
  lane.passed ??= 0;
  while (lane.passed < LOOK_AHEAD) {
    if (lane.page.length === 0) {
      // Started jobs are no longer ready; skipped jobs still are.
      lane.page = sql.all<JobRow>(
        `SELECT * FROM jobs WHERE lane = ? AND state = 'ready' AND gang IS NULL
         ORDER BY rank, seq LIMIT ? OFFSET ?`,
        lane.id,
        Math.min(LOOK_AHEAD, capacity.places),
        lane.passed,
      );
    }
    const [first] = lane.page;
    if (!first || fits(capacity, first)) return first;
    lane.page.shift();
    lane.passed += 1;
  }
  return undefined;
}

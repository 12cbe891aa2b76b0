/**
 * The store on the calling thread: every method is one transition. Calls that arrive together share
 * a transaction and pay for one commit. One call's failure undoes nothing of another's: a method
 * that may be refused has a savepoint of its own, and when anything else fails, the transaction is
 * repeated with savepoints for all calls.
 */
import { openDatabase } from '@skein/state/database';
import type { EventFilter, JobState, Outcome, SubmissionQuota } from '../../contract.ts';
import { claim } from './transitions/claim.ts';
import { enqueue } from './transitions/enqueue.ts';
import { eventsAfter, lastSequence } from './event-log.ts';
import { remove, removeExpired } from './transitions/removal.ts';
import { dropArtifact, heldArtifacts, holdArtifact, lackedArtifacts } from './holdings.ts';
import { cancel, preempt, revive } from './transitions/intervention.ts';
import { rowById, viewOf, type JobRow } from './job-row.ts';
import { appendLog, finish, progress, renew, saveCheckpoint } from './transitions/lease.ts';
import { MIGRATIONS } from './migrations.ts';
import {
  putSchedule,
  putTenant,
  removeSchedule,
  schedules,
  setQueueMode,
  tenantLoad,
  tenants,
} from './settings.ts';
import { sqlOf } from './sql.ts';
import { addTally, emptyTally, writeTally, type Tally } from './tally.ts';
import { nextDue, tick } from './transitions/tick.ts';
import {
  complete,
  addNotifications,
  noNotifications,
  type Notifications,
  type Transaction,
} from './transaction.ts';
import { groupCounts, job, jobs, log, queues } from './view.ts';
import { registerWorker, removeWorker, workers } from './worker-list.ts';

/** Runs the transition with its consequences, then returns its job as they have left it. */
const shown =
  <Args extends readonly unknown[]>(
    transition: (transaction: Transaction, ...args: Args) => JobRow | undefined,
  ) =>
  (transaction: Transaction, ...args: Args) => {
    const row = complete(transaction, () => transition(transaction, ...args));
    return row && viewOf(transaction.sql, rowById(transaction.sql, row.id) ?? row);
  };

const METHODS = {
  enqueue: (
    transaction: Transaction,
    specs: Parameters<typeof enqueue>[1],
    quota?: SubmissionQuota,
  ) =>
    complete(transaction, () => enqueue(transaction, specs, quota)).map((made) => {
      if (typeof made !== 'string') {
        const { spec: _, ...view } = viewOf(transaction.sql, made);
        return view;
      }
      const row = rowById(transaction.sql, made);
      if (!row) throw new Error('A job that was just accepted is missing.');
      return viewOf(transaction.sql, row);
    }),
  claim,
  renew,
  progress,
  appendLog,
  saveCheckpoint,
  finish(transaction: Transaction, token: number, outcome: Outcome): JobState | undefined {
    const row = complete(transaction, () => finish(transaction, token, outcome));
    return (row?.gang ? (rowById(transaction.sql, row.id) ?? row) : row)?.state;
  },
  cancel: shown(cancel),
  preempt: shown(preempt),
  revive: shown(revive),
  remove,
  setQueueMode,
  putTenant,
  tenantLoad,
  holdArtifact,
  lackedArtifacts,
  heldArtifacts,
  dropArtifact,
  putSchedule,
  removeSchedule,
  schedules,
  tick(transaction: Transaction): number {
    complete(transaction, () => tick(transaction));
    removeExpired(transaction);
    return nextDue(transaction);
  },
  registerWorker,
  removeWorker,
  workers,
  job,
  jobs,
  groupCounts,
  queues,
  tenants,
  log,
  lastSequence: ({ sql }: Transaction) => lastSequence(sql),
  eventsAfter: ({ sql }: Transaction, after: number, filter: EventFilter, limit: number) =>
    eventsAfter(sql, after, filter, limit),
  now: ({ now }: Transaction) => now,
} satisfies Record<string, (transaction: Transaction, ...args: never[]) => unknown>;

/** Methods that refuse nothing after their first change. */
const NEVER_REFUSED: ReadonlySet<Method> = new Set<Method>([
  'claim',
  'finish',
  'renew',
  'progress',
  'saveCheckpoint',
  'job',
]);

/** Methods that read no counts, or that add the unwritten counts themselves. */
const COUNTS_UNREAD: ReadonlySet<Method> = new Set<Method>([
  'enqueue',
  'finish',
  'renew',
  'progress',
  'appendLog',
  'saveCheckpoint',
  'job',
]);

export type Method = keyof typeof METHODS;
type Tail<Args> = Args extends [unknown, ...infer Rest] ? Rest : never;
export type Arguments<M extends Method> = Tail<Parameters<(typeof METHODS)[M]>>;
export type Returned<M extends Method> = ReturnType<(typeof METHODS)[M]>;

export interface Call {
  readonly method: Method;
  readonly args: readonly unknown[];
  /** ms since the epoch; absent: now. */
  readonly now?: number | undefined;
  /** Ms of a monotonic clock; absent: the machine's, or `now` where `now` is given. */
  readonly uptime?: number | undefined;
}

export type Settled = { readonly value: unknown } | { readonly error: unknown };

/**
 * Pages of the file kept in memory, in KiB. Few, because SQLite scans all of them at a commit
 * after it has numbered a page anew, which it nearly always has.
 */
const CACHE_KIB = 4096;
/** Most of the write-ahead log before a commit has to move it into the file: 32 MiB. */
const WAL_PAGES = 8192;

export interface LocalJobs {
  /** Runs calls in their order, in one transaction. */
  run(calls: readonly Call[], notifications: Notifications): Settled[];
  /** Moves the write-ahead log into the file and onto the disk. */
  checkpoint(): void;
  close(): void;
}

/**
 * @param path a file, or ':memory:'.
 * @throws SkeinError STATE_CORRUPT, STATE_TOO_NEW, STORAGE_FULL, DATA_FOLDER_UNUSABLE.
 */
export function openLocalJobs(path: string): LocalJobs {
  const database = openDatabase(path, MIGRATIONS);
  const sql = sqlOf(database);
  sql.all(`PRAGMA cache_size = -${CACHE_KIB}`);
  // The checkpoints of the thread come first, unless it has more to do than it can.
  sql.all(`PRAGMA wal_autocheckpoint = ${WAL_PAGES}`);

  function runOne(
    { method, args, now, uptime }: Call,
    notifications: Notifications,
    unwritten: Tally,
    guarded: boolean,
  ): Settled {
    if (!COUNTS_UNREAD.has(method)) writeTally(sql, unwritten);
    const tally = emptyTally();
    const transaction: Transaction = {
      sql,
      now: now ?? Date.now(),
      uptime: uptime ?? now ?? performance.now(),
      random: Math.random,
      later: [],
      notifications,
      tally,
      unwritten,
    };
    const run = METHODS[method] as (
      transaction: Transaction,
      ...args: readonly unknown[]
    ) => unknown;
    if (!guarded && NEVER_REFUSED.has(method)) {
      const value = complete(transaction, () => run(transaction, ...args));
      addTally(unwritten, tally);
      return { value };
    }
    sql.run('SAVEPOINT call');
    try {
      const value = complete(transaction, () => run(transaction, ...args));
      sql.run('RELEASE call');
      addTally(unwritten, tally);
      return { value };
    } catch (error) {
      sql.run('ROLLBACK TO call');
      sql.run('RELEASE call');
      return { error };
    }
  }

  function runAll(
    calls: readonly Call[],
    notifications: Notifications,
    guarded: boolean,
  ): Settled[] {
    const here = noNotifications();
    const settled = database.write('crash', () => {
      const unwritten = emptyTally();
      const answers = calls.map((call) => runOne(call, here, unwritten, guarded));
      writeTally(sql, unwritten);
      return answers;
    });
    addNotifications(notifications, here);
    return settled;
  }

  return {
    run(calls, notifications) {
      try {
        return runAll(calls, notifications, false);
      } catch {
        // Nothing was committed.
      }
      try {
        return runAll(calls, notifications, true);
      } catch (error) {
        // A full disk, or a lock held by another process.
        return calls.map(() => ({ error }));
      }
    },
    checkpoint() {
      database.read(() => sql.all('PRAGMA wal_checkpoint(PASSIVE)'));
    },
    close: () => database.close(),
  };
}

/**
 * A judge: its problems, users and submissions in a data folder, its jobs and artifacts there too
 * or in a fleet, its API and page over HTTP. All state is in the folder or the fleet: the judge can
 * be killed at any moment, and continues after a restart.
 *
 *     page, API ─► service ─► database            (what was accepted)
 *                     └─► follower ─► jobs ─► workers ─► judgements ─► database
 */
import { randomUUID } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { SkeinError } from '@skein/api';
import {
  bodyBudget,
  defaultBodyBudget,
  eventStreamBudget,
  type GatewayLogger,
  serveRoutes,
} from '@skein/http';
import { type ArtifactStore, type Database, openArtifacts, openDataFolder } from '@skein/state';
import { type JobStore, openFollowedStore, openJobStore, type WorkerLog } from '@skein/jobs';
import { FIXES } from '../fixes.ts';
import { servePage } from '../web/pages.ts';
import { createJudgeAccess, type JudgeCallers } from './accounts/access.ts';
import { openAccounts } from './accounts/accounts.ts';
import { watchAvailability } from './problems/availability.ts';
import { openCatalog, type BrokenPackage } from './problems/catalog.ts';
import { JUDGE_DESCRIPTION, JUDGE_ENDPOINTS } from './api/endpoints.ts';
import { startFollower } from './submissions/follower.ts';
import type { GuestOptions } from './worker/guests.ts';
import { judgeHandlers } from './api/handlers.ts';
import { createJudgeService, SERVICE_LIMITS, type ServiceLimits } from './judge-service.ts';
import { type JudgeWorker, startJudgeWorker } from './worker/judge-worker.ts';
import { createLive } from './submissions/live.ts';
import { openJudgeDatabase } from './schema.ts';
import { openSubmissions } from './submissions/submissions.ts';
import { openTimeLimits } from './problems/time-limits.ts';

/**
 * When a judge restarts after a kill, the interrupted judgings wait for their leases to end. Only
 * its own worker holds leases, so the lease need not cover a network outage.
 */
const EMBEDDED_LEASE_MS = 10_000;
/** Milliseconds in which a body must be complete: a class may submit over one slow line. */
const BODY_TIMEOUT_MS = 60_000;
/** Milliseconds for requests in progress when the judge stops. */
const CLOSE_MS = 2000;
/** Open event streams: half of the connections that a service keeps. */
const MAX_STREAMS = 512;
/** Users have the same weight: each may hold half of what the others leave free. */
const shareOf = (): number => 1 / 2;

export interface ServeOptions extends GuestOptions {
  /** Folder of problem packages. */
  readonly problems: string;
  /** The judge's data folder. */
  readonly dataFolder: string;
  /** Joins a fleet: its jobs and its artifacts. Both or none. */
  readonly fleet?:
    | { readonly redis: string; readonly blobs: string; readonly namespace: string }
    | undefined;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /**
   * Submissions that are judged at once in this process; `none`: other workers judge. Default: one
   * per core, minus one.
   */
  readonly parallel?: number | 'none' | undefined;
  readonly limits?: Partial<ServiceLimits> | undefined;
  /** Ms since the epoch: when penalties begin. */
  readonly startedAt?: number | undefined;
  readonly log: WorkerLog;
}

export interface RunningJudge {
  readonly url: string;
  readonly problems: readonly string[];
  readonly broken: readonly BrokenPackage[];
  /** The worker of this process. */
  readonly worker: JudgeWorker | undefined;
  /** Why there is no worker, when there should be one. */
  readonly missing: string | undefined;
  /** A key for the user `admin`, who is created when there are no users. */
  readonly adminKey: string | undefined;
  /** Accepts no new work, lets running work end or return to the queue, and closes. Idempotent. */
  close(): Promise<void>;
}

/**
 * @throws SkeinError DATA_FOLDER_LOCKED, DATA_FOLDER_UNUSABLE, STORE_UNREACHABLE, PORT_IN_USE,
 * PROBLEM_INVALID (no such folder).
 */
export async function serveJudge(options: ServeOptions): Promise<RunningJudge> {
  const started: (() => unknown)[] = [];
  let closed: Promise<void> | undefined;
  const closeAll = async (): Promise<void> => {
    for (const close of started.splice(0).reverse()) await close();
  };
  try {
    const running = await bringUp(options, (close) => started.push(close));
    return { ...running, close: () => (closed ??= closeAll()) };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function bringUp(
  options: ServeOptions,
  onClose: (close: () => unknown) => void,
): Promise<Omit<RunningJudge, 'close'>> {
  const { log, fleet } = options;
  const limits: ServiceLimits = { ...SERVICE_LIMITS, ...options.limits };
  const folder = await openDataFolder(options.dataFolder);
  onClose(() => folder.close());
  const database = openJudgeDatabase(join(folder.root, 'judge.db'));
  onClose(() => database.close());
  const { store, artifacts } = await openPlane(options, folder.root);
  onClose(async () => {
    await store.close();
    await artifacts.close();
  });
  const accounts = openAccounts(database, Date.now);
  const submissions = openSubmissions(database, Date.now);
  const catalog = await openCatalog({
    folder: options.problems,
    unpackedFolder: join(folder.root, 'unpacked'),
    artifacts,
    database,
  });
  for (const { name, reason } of catalog.broken) {
    log('warn', 'A problem package is left out.', { package: name, reason });
  }

  const packages = [...catalog.problems.values()].map(({ problem }) => problem.folder);
  const hidden = [folder.root, options.problems, ...packages];
  const { worker, missing } = await startOwnWorker({ ...options, hidden }, store, artifacts);
  onClose(() => worker?.drain());
  const timeLimits = openTimeLimits(database, store);
  const parts = { catalog, submissions, timeLimits, artifacts, live: createLive() };
  const follower = startFollower({ ...parts, store, service: serviceName(database), log });
  onClose(() => follower.close());
  const availability = watchAvailability(store, missing);
  const serviceOptions = {
    ...parts,
    follower,
    availability,
    waitsForWorkers: fleet !== undefined,
    limits,
    now: Date.now,
  };
  const access = createJudgeAccess(accounts);
  onClose(() => access.close());
  const handlers = judgeHandlers({
    ...serviceOptions,
    service: createJudgeService(serviceOptions),
    accounts,
    access,
    startedAt: options.startedAt,
  });
  const running = await serveRoutes<JudgeCallers, typeof JUDGE_ENDPOINTS>(
    JUDGE_ENDPOINTS,
    handlers,
    {
      host: options.host,
      port: options.port,
      about: JUDGE_DESCRIPTION,
      access,
      pages: servePage,
      fixes: FIXES,
      bodies: bodyBudget(defaultBodyBudget(limits.bodyBytes), shareOf),
      eventStreams: eventStreamBudget(MAX_STREAMS, shareOf),
      limits: { maxJsonBytes: limits.bodyBytes, bodyTimeoutMs: BODY_TIMEOUT_MS },
      logger: loggerOf(log),
    },
  );
  onClose(() => running.close(CLOSE_MS));
  await folder.announce(running.url);
  // Last: of a start that fails before, no caller would ever see the key.
  const adminKey = accounts.list().length === 0 ? accounts.add('admin', true) : undefined;
  return {
    url: running.url,
    problems: [...catalog.problems.keys()],
    broken: catalog.broken,
    worker,
    missing,
    adminKey,
  };
}

async function openPlane(
  { fleet, log }: ServeOptions,
  root: string,
): Promise<{ store: JobStore; artifacts: ArtifactStore }> {
  const artifacts = await openArtifacts(
    fleet?.blobs ?? join(root, 'blobs'),
    join(homedir(), '.cache', 'skein', 'artifacts'),
  );
  try {
    const store =
      fleet === undefined
        ? await openJobStore(join(root, 'jobs.db'))
        : await openFollowedStore(fleet.redis, { namespace: fleet.namespace, log });
    return { store, artifacts };
  } catch (error) {
    await artifacts.close();
    throw error;
  }
}

/** A judge without a sandbox starts: it reports the reason, and judges nothing. */
async function startOwnWorker(
  options: ServeOptions,
  store: JobStore,
  artifacts: ArtifactStore,
): Promise<{ worker: JudgeWorker | undefined; missing: string | undefined }> {
  const { parallel, fleet } = options;
  if (parallel === 'none') return { worker: undefined, missing: undefined };
  try {
    return {
      worker: await startJudgeWorker({
        ...options,
        parallel,
        store,
        artifacts,
        leaseMs: fleet === undefined ? EMBEDDED_LEASE_MS : undefined,
      }),
      missing: undefined,
    };
  } catch (error) {
    if (!(error instanceof SkeinError) || error.code !== 'JUDGE_SANDBOX') throw error;
    const missing = `Nothing is judged by this process. ${error.message} ${error.row.fix}`;
    options.log('warn', missing);
    return { worker: undefined, missing };
  }
}

/** Made once per data folder. */
function serviceName(database: Database): string {
  const made = database.prepare(
    'INSERT INTO service (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING',
  );
  const named = database.prepare('SELECT value FROM service WHERE key = ?');
  return database.write('power-cut', () => {
    made.run('name', `judge-${randomUUID()}`);
    return named.get('name')?.['value'] as string;
  });
}

function loggerOf(log: WorkerLog): GatewayLogger {
  const write = (level: 'debug' | 'warn' | 'error') => (details: object, message: string) =>
    log(level, message, { ...details });
  return { debug: write('debug'), warn: write('warn'), error: write('error') };
}

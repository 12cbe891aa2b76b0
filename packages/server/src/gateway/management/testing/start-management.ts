/**
 * The management API behind a real HTTP server on loopback, over a real registry, state and access;
 * only the deployments are fake.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SkeinError, type NodeView, type SandboxView } from '@skein/api';
import { mlp, writeModel } from '@skein/onnx';
import type { SharedBudget } from '@skein/api/shared-budget';
import { createExchangeListener, createOriginPolicy, DEFAULT_LIMITS } from '@skein/http';
import { createWorkerScale, type JobStore } from '@skein/jobs';
import { openSqliteJobs } from '@skein/jobs/sqlite';
import { createRegistry, type Registry } from '@skein/serving';
import {
  type ArtifactStore,
  createDataSets,
  createDevices,
  createRuns,
  openFileArtifacts,
  openSqliteState,
  type State,
} from '@skein/state';
import { createAccess, type AccessMode } from '../../../access/access.ts';
import type { Keys } from '../../../access/contract.ts';
import { artifactBudget, createHoldings } from '../../../../../jobs/src/artifact-holdings.ts';
import { createFederations } from '../../../components/federations.ts';
import { createDeviceRegistry } from '../../../devices/device-registry.ts';
import { createFleet } from '../../../fleet/fleet.ts';
import { createLanguageModels } from '../../../language/language-models.ts';
import { countLanguageUse } from '../../../language/use.ts';
import { createManagement } from '../management.ts';
import { documentedCodes } from './documented-codes.ts';
import { createFakeControl, type FakeControl } from './fake-control.ts';
import { testFolder } from '../../../../../../scripts/testing/folder.ts';
import type { ManagementLimits } from '../options.ts';

export interface TestNode {
  readonly url: string;
  readonly state: State;
  readonly registry: Registry;
  readonly control: FakeControl;
  readonly keys: Keys;
  readonly jobs: JobStore;
  readonly artifacts: ArtifactStore;
  /** Messages that were logged as errors. */
  readonly faults: unknown[];
  close(): Promise<void>;
}

export async function startManagement(
  options: {
    access?: AccessMode;
    limits?: Partial<ManagementLimits>;
    eventStreams?: SharedBudget;
    bodies?: SharedBudget;
    sandboxes?: readonly SandboxView[];
    maxArtifactsBytes?: number;
    /** Milliseconds since 1970, for the reports of devices. */
    now?: () => number;
  } = {},
): Promise<TestNode> {
  const folder = testFolder();
  const state = await openSqliteState(':memory:');
  const registry = createRegistry({
    state,
    artifacts: await openFileArtifacts(join(folder, 'artifacts')),
    limits: { maxModelBytes: 1024 * 1024 },
    async describeComposition(path) {
      if (!(await readFile(path, 'utf8')).includes('defineComposition')) {
        throw new SkeinError('COMPOSITION_INVALID', `${path} exports no composition.`);
      }
      return { signature: { inputs: [], outputs: [] }, calls: [] };
    },
  });
  const mode = options.access ?? 'open';
  const access = await createAccess({ state, mode, clock: performance });
  const listeners = new Set<() => void>();
  const control = createFakeControl(registry, state, () => listeners.forEach((each) => each()));
  const jobs = await openSqliteJobs(':memory:');
  const artifacts = await openFileArtifacts(join(folder, 'blobs'));
  const budget = artifactBudget(options.maxArtifactsBytes ?? Infinity, access.shareOf);
  const faults: unknown[] = [];
  const logger = {
    error: (details: object) => void faults.push(details),
    warn: (details: object) => void faults.push(details),
    debug() {},
  };
  const fleet = await createFleet({
    state,
    clock: performance,
    version: '0.0.0-test',
    logger,
    serving: () => ({
      load: () => IDLE_LOAD,
      loaded: () => [],
      memory: () => ({ residents: [], measured: [] }),
      rolloutReports: () => ({}),
    }),
  });
  await fleet.start('http://127.0.0.1:1');
  const management = createManagement({
    control,
    fleet,
    federations: createFederations(join(folder, 'federations'), { registry, logger }),
    devices: createDeviceRegistry({
      devices: createDevices(state),
      leases: state.leases,
      now: options.now,
    }),
    registry,
    languageModels: createLanguageModels({
      state,
      use: countLanguageUse(state, logger),
      weightOf: () => 1,
      embed: () => undefined,
      logger,
      traced: (gateway) => gateway,
    }),
    runs: createRuns(state, folder),
    dataSets: createDataSets(state),
    state,
    bounded: state,
    jobs,
    scale: createWorkerScale(),
    artifacts,
    holdings: createHoldings({ store: jobs, artifacts, budget }),
    budgets: [budget],
    sandboxes: async () => [...(options.sandboxes ?? [])],
    access,
    keys: access.keys,
    events: {
      subscribe(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    adoptStore: async () => {},
    nodeInfo: () => nodeView(mode, listener.address?.port ?? 0),
    logger,
    eventStreams: options.eventStreams,
    bodies: options.bodies,
    limits: { eventTickMs: 20, ...options.limits },
  });
  const documented = documentedCodes();
  const listener = createExchangeListener(
    (exchange) =>
      management.serve(exchange).catch((error: unknown) => {
        documented.note(exchange.request, error);
        throw error;
      }),
    {
      origins: createOriginPolicy(mode === 'open', []),
      limits: { ...DEFAULT_LIMITS, drainGraceMs: 0 },
      logger,
    },
  );
  const { port } = await listener.listen({ host: '127.0.0.1', port: 0 });
  return {
    url: `http://127.0.0.1:${port}`,
    state,
    registry,
    control,
    keys: access.keys,
    jobs,
    artifacts,
    faults,
    async close() {
      management.close();
      await fleet.close();
      await listener.drain(performance.now());
      await jobs.close();
      await state.close();
      documented.check();
    },
  };
}

const IDLE_LOAD = {
  demandCores: 0,
  requestsPerSecond: 0,
  shedPerSecond: 0,
  delayShare: 0,
  busy: false,
  idleMs: 0,
  idleAfterMs: null,
  startMs: null,
} as const;

function nodeView(access: AccessMode, http: number): NodeView {
  return {
    version: '0.0.0-test',
    startedAt: '2030-01-01T00:00:00.000Z',
    uptimeMs: 1000,
    cores: 4,
    coresInUse: 1,
    ports: { http, grpc: null },
    dataFolder: '/data',
    access,
    draining: false,
  };
}

/** A small valid model; a different seed gives different bytes. */
export function onnxFile(seed = 1): Uint8Array<ArrayBuffer> {
  return new Uint8Array(writeModel(mlp({ sizes: [4, 3], seed })));
}

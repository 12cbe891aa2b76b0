/**
 * The corpus of requests through the real path of a job: the schema of the API, admission by the
 * scope of the key, a worker, and the drivers of this machine. JSON carries them, as it does from a
 * client.
 */
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ERRORS, NewJob, SkeinError, validate, type ErrorCode } from '@skein/api';
import { SANDBOX_NAMES, SANDBOXES } from '@skein/api/implementations';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { specOf } from '@skein/jobs';
import {
  workerFixture,
  type WorkerFixture,
} from '../../../jobs/src/worker/testing/worker-fixture.ts';
import type { SandboxDriver } from '../contract.ts';
import { openDrivers } from '../drivers.ts';
import { driversHere, prepareDriver } from '../testing/every-driver.ts';
import {
  ARTIFACT,
  DATA_FOLDER,
  LINK_TO_ROOT,
  REQUESTS,
  type HostileRequest,
} from './testing/requests.ts';

/** A pod for each request takes minutes, so a cluster is asked at full size only. */
const DRIVERS = driversHere('untrusted').filter(
  (name) => SANDBOXES[name].freezes || process.env['SKEIN_FULL'] === '1',
);
/** Tenant and trust of a caller, from the scopes of its key. */
const SUBMITTERS = {
  jobs: { tenant: 'stranger', mayTrust: false },
  admin: { tenant: 'operator', mayTrust: true },
};

let jobs: WorkerFixture;
let link: string;
let artifact: string;
let drivers: SandboxDriver[];
const unprepare: (() => Promise<void>)[] = [];

beforeAll(async () => {
  link = mkdtempSync(join(tmpdir(), 'skein-link-'));
  symlinkSync('/', join(link, 'root'));
  const folder = mkdtempSync(join(tmpdir(), 'skein-data-'));
  for (const name of DRIVERS) unprepare.push(await prepareDriver(name));
  drivers = await openDrivers({ hidden: [folder] }, DRIVERS);
  jobs = await workerFixture({ sandboxes: drivers });
  dataFolder = folder;
  ({ digest: artifact } = await jobs.artifacts.put(once(Buffer.from('content')), 1 << 20));
  await jobs.start();
}, 120_000);
afterAll(async () => {
  await jobs[Symbol.asyncDispose]();
  await Promise.all(drivers.map((driver) => driver.close()));
  for (const end of unprepare) await end();
  for (const folder of [link, dataFolder]) rmSync(folder, { recursive: true });
}, 60_000);
let dataFolder: string;

const isolates = (name: unknown): boolean =>
  SANDBOX_NAMES.some((each) => each === name && SANDBOXES[each].isolates);

async function* once(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}

/** Returns the stage at which it ends. @param sandbox the driver, when the work names none. */
async function endOf(
  { scope, work }: HostileRequest,
  sandbox: string,
): Promise<{ end: string; message: string }> {
  const text = JSON.stringify({
    work: { kind: 'command', argv: ['true'], sandbox, ...work },
    resources: { cores: 1, memoryBytes: 128 << 20 },
    retry: { maxAttempts: 1, backoffMs: 0, maxBackoffMs: 0 },
  })
    .replaceAll(DATA_FOLDER, dataFolder)
    .replaceAll(LINK_TO_ROOT, join(link, 'root'))
    .replaceAll(ARTIFACT, artifact);
  try {
    const job = validate(NewJob, JSON.parse(text), 'job');
    const spec = specOf(job, SUBMITTERS[scope], await jobs.store.now());
    const [{ id } = { id: '' }] = await jobs.store.enqueue([spec]);
    const { state, cause, message = '' } = await jobs.ended(id);
    if (state === 'succeeded') return { end: state, message };
    const code = Object.keys(ERRORS).find((each) =>
      message.endsWith(ERRORS[each as ErrorCode].fix),
    );
    return { end: code ?? cause ?? state, message };
  } catch (error) {
    if (!(error instanceof SkeinError)) throw error;
    return { end: error.code, message: error.message };
  }
}

test('the corpus is large, and tries both scopes', () => {
  expect(REQUESTS.length).toBeGreaterThan(250);
  expect(new Set(REQUESTS.map(({ scope }) => scope)).size).toBe(2);
});

describe.each(DRIVERS)('asked of %s', (driver) => {
  // A name that is not a driver's is asked once.
  const asked = REQUESTS.filter(({ work: { sandbox = driver } }) => {
    return sandbox === driver || (driver === DRIVERS[0] && !isolates(sandbox));
  });
  test.each(asked.map((request) => [`${request.scope}: ${request.what}`, request] as const))(
    '%s',
    async (_what, request) => {
      const { end, message } = await endOf(request, driver);
      expect(end, message).toBe(request.ends);
    },
    60_000,
  );
});

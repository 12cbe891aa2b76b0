/** Several tenants on one node with keys: limits apply to their own tenant, and a flood does not delay other tenants. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createClient, type Client as HttpClient } from '@skein/api/client';
import { runCli } from '../../../../cli/src/testing/cli.ts';
import { counting } from '../../../../runtime/src/testing/models.ts';
import { GRPCInferenceService } from '../../gateway/oip/grpc/proto/inference.gen.ts';
import { call } from '../../testing/grpc-client.ts';
import { startLoad } from '../../testing/load.ts';
import { startNodeProcess, type NodeProcess } from '../../testing/node-process.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';

/** Loop rounds of some milliseconds. */
const RUN = 10_000;
/** For about two hundred of them. */
const DEADLINE_MS = 2000;

/** Floods compute, so they take long on a busy machine. */
const TIMEOUT_MS = 90_000;
vi.setConfig({ testTimeout: 3 * TIMEOUT_MS });

const folder = testFolder();
let node: NodeProcess;
beforeAll(async () => {
  const created = await runCli(['keys', 'create', '--scope', 'admin,read', '--json'], {
    cwd: folder,
  });
  const { secret } = JSON.parse(created.stdout) as { secret: string };
  node = await startNodeProcess({ folder, args: ['--keys', 'required'], key: secret });
  for (const name of ['counting', 'work']) {
    await node.deploy(name, counting(), {
      objective: { latencyMs: 60_000 },
      replicas: { min: 1, max: 1 },
    });
  }
});
afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

interface Tenant {
  readonly key: string;
  readonly client: HttpClient;
  /** One request that runs so many rounds. */
  ask(rounds: number): Promise<string>;
  /** One request to the deployment whose requests all take the same time. */
  work(timeoutMs?: number): Promise<string>;
}

async function tenant(
  name: string,
  limits: { ratePerSecond?: number; maxConcurrent?: number; weight?: number } = {},
): Promise<Tenant> {
  const { secret } = await node.client.createKey({ label: name, tenant: name, ...limits });
  const client = createClient({ url: node.url, key: secret });
  const count = async (deployment: string, rounds: number, timeoutMs?: number) => {
    const inputs = {
      rounds: { shape: [], data: BigInt64Array.of(BigInt(rounds)) },
      x: { shape: [], data: Float32Array.of(0) },
    };
    await client.infer(deployment, inputs, { timeoutMs });
    return 'answered';
  };
  return {
    key: secret,
    client,
    ask: (rounds) => count('counting', rounds),
    work: (timeoutMs) => count('work', RUN, timeoutMs),
  };
}

const codeOf = (promise: Promise<string>): Promise<string> =>
  promise.catch(({ code }: { code: string }) => code);

describe('a rate limit', () => {
  it('admits the requests of one second, gives a retry time, and does not affect other tenants', async () => {
    const limited = await tenant('limited', { ratePerSecond: 5 });
    const free = await tenant('free');
    const burst = await Promise.all(Array.from({ length: 30 }, () => codeOf(limited.ask(1))));
    const passed = burst.filter((outcome) => outcome === 'answered').length;
    expect(passed).toBeGreaterThanOrEqual(5);
    expect(passed).toBeLessThan(30);
    expect(new Set(burst)).toEqual(new Set(['answered', 'RATE_LIMITED']));

    const refused = await fetch(`${node.url}/v2/models/counting/infer`, {
      method: 'POST',
      headers: { authorization: `Bearer ${limited.key}` },
      body: '{}',
    });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await refused.json()).toMatchObject({ code: 'RATE_LIMITED' });
    for (let i = 0; i < 30; i++) await free.ask(1);

    await expect.poll(() => codeOf(limited.ask(1)), { timeout: 5000 }).toBe('answered');
  });

  it('applies over gRPC', async () => {
    const limited = await tenant('limited-grpc', { ratePerSecond: 1 });
    const client = new Client(node.grpcUrl, credentials.createInsecure());
    const ask = () =>
      call(
        client,
        GRPCInferenceService.method.modelMetadata,
        { name: 'counting' },
        { authorization: `Bearer ${limited.key}` },
      );
    await ask();
    const refusals = await Promise.allSettled([ask(), ask(), ask(), ask(), ask()]);
    client.close();
    const reason = refusals.find((each) => each.status === 'rejected')?.reason as {
      code: number;
      details: string;
    };
    expect(reason.code).toBe(8);
    expect(reason.details).toContain('RATE_LIMITED');
  });
});

it('a quota bounds the queued requests of a tenant over all of its keys', async () => {
  const one = await tenant('quota', { maxConcurrent: 3 });
  const other = await tenant('quota', { maxConcurrent: 3 });
  const free = await tenant('free');
  const running = [one.ask(400_000), one.ask(400_000), other.ask(400_000)];
  await expect
    .poll(
      async () => {
        const { targets } = await node.client.getDeployment({ name: 'counting' });
        return targets[0]!.queuedRequests + targets[0]!.inFlightRows;
      },
      { interval: 5 },
    )
    .toBe(3);
  for (const tenant of [one, other]) {
    await expect(tenant.ask(1)).rejects.toMatchObject({
      code: 'QUOTA_EXCEEDED',
      retryAfterMs: expect.any(Number) as unknown,
    });
  }
  expect(await free.ask(1)).toBe('answered');
  await Promise.all(running);
  expect(await one.ask(1)).toBe('answered');
});

it('a revoked key is refused at once, and other keys still work', async () => {
  const leaving = await tenant('leaving');
  const staying = await tenant('staying');
  const { keys } = await node.client.listKeys();
  const { id } = keys.find(({ label }) => label === 'leaving')!;
  expect(await leaving.ask(1)).toBe('answered');
  await node.client.revokeKey({ id });
  expect(await codeOf(leaving.ask(1))).toBe('KEY_INVALID');
  expect(await staying.ask(1)).toBe('answered');
  expect(
    await codeOf(
      createClient({ url: node.url })
        .listDeployments()
        .then(() => ''),
    ),
  ).toBe('KEY_MISSING');
  expect(await codeOf(staying.client.listDeployments().then(() => ''))).toBe('SCOPE_MISSING');
});

it('a tenant that floods is refused, and one with a low request rate is not', async () => {
  const flooding = await tenant('flooding');
  const modest = await tenant('modest');
  // No promise is possible before the cost of a request is known.
  for (let i = 0; i < 50; i++) await modest.work();
  // Twice as many as fit into the deadline; a refused request is retried later.
  const flood = startLoad(400, async () => {
    const outcome = await codeOf(flooding.work(DEADLINE_MS));
    if (outcome !== 'answered') await sleep(500);
    return outcome;
  });
  await expect
    .poll(() => flood.total() - flood.of('answered'), { timeout: TIMEOUT_MS })
    .toBeGreaterThan(100);
  let answered = 0;
  for (let i = 0; i < 40; i++) {
    if ((await codeOf(modest.work(DEADLINE_MS))) === 'answered') answered++;
    await sleep(50);
  }
  await flood.stop();
  // Not all of them: the machine may stall, and accepted requests of the flood keep their deadlines
  // as well.
  expect(answered / 40).toBeGreaterThan(0.5);
  expect(answered / 40).toBeGreaterThan((3 * flood.of('answered')) / flood.total());
  expect(flood.of('answered')).toBeGreaterThan(0);
});

it('two tenants that both exceed the capacity get about the same throughput', async () => {
  const many = await tenant('many');
  const few = await tenant('few');
  const loud = startLoad(60, () => many.work());
  const quiet = startLoad(6, () => few.work());
  // The first requests were booked with an older estimate of their cost.
  await expect.poll(() => loud.total(), { timeout: TIMEOUT_MS }).toBeGreaterThan(60);
  const [heavyBefore, lightBefore] = [loud.total(), quiet.total()];
  await expect.poll(() => quiet.total(), { timeout: TIMEOUT_MS }).toBeGreaterThan(lightBefore + 60);
  const share =
    (quiet.total() - lightBefore) / (quiet.total() - lightBefore + loud.total() - heavyBefore);
  await Promise.all([loud.stop(), quiet.stop()]);
  // By the number of their requests it would be a tenth.
  expect(share).toBeGreaterThan(0.35);
  expect(share).toBeLessThan(0.65);
});

it('of two tenants that both exceed the capacity, one with three times the weight gets about three times the throughput', async () => {
  const light = await tenant('light');
  const heavy = await tenant('heavy', { weight: 3 });
  const lightLoad = startLoad(30, () => light.work());
  const heavyLoad = startLoad(30, () => heavy.work());
  await expect.poll(() => heavyLoad.total(), { timeout: TIMEOUT_MS }).toBeGreaterThan(60);
  const [lightly, heavily] = [lightLoad.total(), heavyLoad.total()];
  await expect
    .poll(() => heavyLoad.total(), { timeout: TIMEOUT_MS })
    .toBeGreaterThan(heavily + 120);
  const ratio = (heavyLoad.total() - heavily) / (lightLoad.total() - lightly);
  await Promise.all([lightLoad.stop(), heavyLoad.stop()]);
  expect(ratio).toBeGreaterThan(2);
  expect(ratio).toBeLessThan(4.5);
});

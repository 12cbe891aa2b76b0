/**
 * Models that loop for ever or allocate all memory, in a real node: during deployment, when a
 * request triggers it, and when the node has to end.
 */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { DeploymentSettingsPatch } from '@skein/api';
import { createClient, type Client } from '@skein/api/client';
import { mlp } from '@skein/onnx';
import { runCli } from '../../../../cli/src/testing/cli.ts';
import { counting, endless, filling, hungry } from '../../../../runtime/src/testing/models.ts';
import { isRunning } from '../../../../runtime/src/testing/processes.ts';
import { startNodeProcess, type NodeProcess } from '../../testing/node-process.ts';
import { replicaProcessesOf } from '../../testing/replica-processes.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';

const linux = process.platform === 'linux';
const GRACE_MS = 3_000;
/** Slack for a busy machine; the node kills itself 900 ms after its grace time, so exit code 0 means in time. */
const SLACK_MS = 3_000;
/** Time for another replica to start on a busy machine. */
const UP = { timeout: 60_000, interval: 200 };
vi.setConfig({ testTimeout: 240_000 });
const SMALL = mlp({ sizes: [4, 8, 3], seed: 1 });
const FOREVER = 4_000_000_000_000_000n;

let node: NodeProcess;
const start = async (...args: string[]): Promise<NodeProcess> =>
  (node = await startNodeProcess({ args: ['--grace', `${GRACE_MS}ms`, ...args] }));
afterEach(async () => {
  await node[Symbol.asyncDispose]();
});

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'answered',
    ({ code }: { code: string }) => code,
  );
const timed = async <T>(work: Promise<T>): Promise<[T, number]> => {
  const begun = performance.now();
  const result = await work;
  return [result, performance.now() - begun];
};

function count(rounds: bigint, client: Client = node.client, timeoutMs?: number) {
  const inputs = {
    rounds: { shape: [], data: BigInt64Array.of(rounds) },
    x: { shape: [], data: Float32Array.of(0) },
  };
  return client.infer('counting', inputs, timeoutMs === undefined ? {} : { timeoutMs });
}
const deployCounting = (settings: DeploymentSettingsPatch) =>
  node.deploy('counting', counting(), {
    objective: { latencyMs: 300 },
    replicas: { min: 1, max: 1 },
    ...settings,
  });

/** SIGTERM ends the node with code 0 within its grace time and a second, and leaves no process. */
async function endsInTime(): Promise<void> {
  const children = linux ? replicaProcessesOf(node.pid) : [];
  const [{ code, stderr }, ms] = await timed(node.stop());
  expect([code, stderr.includes('"level":"error"')]).toEqual([0, false]);
  expect(ms).toBeLessThan(GRACE_MS + SLACK_MS);
  await expect.poll(() => children.filter(isRunning)).toEqual([]);
}

describe('a model that never ends', () => {
  it.each(['auto', 'thread', 'process'] as const)(
    'is not deployed with isolation %s, gives the reason, and costs the node nothing more',
    async (isolation) => {
      await start();
      await node.deploy('small', SMALL);
      const deploying = codeOf(
        node.deploy('endless', endless(), { isolation, startTimeoutMs: 1_500 }),
      );
      const [code, ms] = await timed(deploying);
      expect(code).toBe('MODEL_START_TIMEOUT');
      expect(ms).toBeLessThan(20_000);
      expect((await node.client.listDeployments()).deployments.map(({ name }) => name)).toEqual([
        'small',
      ]);
      if (linux) await expect.poll(() => replicaProcessesOf(node.pid)).toEqual([]);
      await endsInTime();
    },
  );

  it('is given up at once by undeploy, by rollback, and by SIGTERM', async () => {
    await start();
    const first = codeOf(node.deploy('endless', endless()));
    await expect.poll(() => statusOf('endless')).toBe('starting');
    const [, removing] = await timed(node.client.undeploy({ name: 'endless' }));
    expect(await first).toBe('ROLLED_BACK');

    await node.deploy('risk', SMALL);
    const second = codeOf(node.deploy('risk', endless()));
    await expect
      .poll(async () => (await node.client.getDeployment({ name: 'risk' })).rollout?.phase)
      .toBe('warming');
    const [view, rollingBack] = await timed(node.client.rollback({ name: 'risk' }));
    expect(await second).toBe('ROLLED_BACK');
    expect(view).toMatchObject({ status: 'ready', targets: [{ version: '1' }] });
    expect([removing, rollingBack].map((ms) => ms < 10_000)).toEqual([true, true]);

    const third = codeOf(node.deploy('third', endless(), { isolation: 'process' }));
    await expect.poll(() => statusOf('third')).toBe('starting');
    await endsInTime();
    expect(await third).toBe('NODE_DRAINING');
  });
});

async function statusOf(name: string): Promise<string | undefined> {
  const { deployments } = await node.client.listDeployments();
  return deployments.find((each) => each.name === name)?.status;
}

describe('a request that never ends', () => {
  it('loses its replica soon after its deadline, and the next request is answered', async () => {
    await start();
    await deployCounting({ isolation: 'process' });
    const [code, ms] = await timed(codeOf(count(FOREVER)));
    expect(code).toBe('RUN_TIMEOUT');
    expect(ms).toBeLessThan(15_000);
    await expect.poll(() => codeOf(count(3n)), UP).toBe('answered');
    // The same inputs end one more replica, and then none.
    expect(await codeOf(count(FOREVER))).toBe('RUN_TIMEOUT');
    await expect.poll(() => codeOf(count(3n)), UP).toBe('answered');
    const [quarantined, soon] = await timed(codeOf(count(FOREVER)));
    expect([quarantined, soon < 5_000]).toEqual(['REQUEST_QUARANTINED', true]);
    await endsInTime();
  });

  it('in a thread blocks the thread, and every later replica is a process', async () => {
    await start();
    await deployCounting({ isolation: 'thread' });
    const replicas = async () =>
      (await node.client.getDeployment({ name: 'counting' })).targets[0]!.replicas.filter(
        ({ state }) => state !== 'gone',
      );
    expect(await replicas()).toMatchObject([{ isolation: 'thread' }]);
    const [code, ms] = await timed(codeOf(count(FOREVER)));
    expect(code).toBe('RUN_TIMEOUT');
    expect(ms).toBeLessThan(20_000);
    await expect.poll(() => codeOf(count(3n)), UP).toBe('answered');
    expect(await replicas()).toMatchObject([{ isolation: 'process' }]);
    // The blocked thread still runs.
    await endsInTime();
  });

  it.each(['thread', 'process'] as const)(
    'does not delay the end of the node in a %s, and gets an error',
    async (isolation) => {
      await start();
      await deployCounting({ isolation, objective: { latencyMs: 60_000 } });
      const stuck = codeOf(count(FOREVER, node.client, 60_000));
      await expect
        .poll(
          async () =>
            (await node.client.getDeployment({ name: 'counting' })).targets[0]!.inFlightRows,
        )
        .toBe(1);
      await endsInTime();
      expect(await stuck).toBe('NODE_DRAINING');
    },
  );

  it('ends at most three replicas at once for a tenant, when others use the version too', async () => {
    const folder = testFolder();
    const created = await runCli(['keys', 'create', '--scope', 'admin,read', '--json'], {
      cwd: folder,
    });
    const { secret: key } = JSON.parse(created.stdout) as { secret: string };
    node = await startNodeProcess({ folder, args: ['--keys', 'required'], key });
    const { url, client: admin } = node;
    const secretOf = async (tenant: string) => {
      const made = await admin.createKey({ label: tenant, tenant, scopes: ['infer'] });
      return createClient({ url, key: made.secret });
    };
    const [mallory, alice] = [await secretOf('mallory'), await secretOf('alice')];
    await deployCounting({ isolation: 'process' });
    const codes: string[] = [];
    const latencies: number[] = [];
    for (let i = 0; i < 6; i++) {
      codes.push(await codeOf(count(FOREVER + BigInt(i), mallory)));
      await expect.poll(() => codeOf(count(3n, alice)), UP).toBe('answered');
    }
    expect(codes.slice(0, 3)).toEqual(['RUN_TIMEOUT', 'RUN_TIMEOUT', 'RUN_TIMEOUT']);
    expect(codes.slice(3)).toContain('TENANT_HELD');
    for (let i = 0; i < 20; i++) latencies.push((await timed(count(3n, alice)))[1]);
    expect(Math.max(...latencies)).toBeLessThan(5_000);
    await node.stop();
  });
});

describe.skipIf(!linux)('a model that allocates all memory', () => {
  const MIB = 2 ** 20;
  const rss = (pid: number): number =>
    Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) * 1024;

  it.each(['auto', 'process'] as const)(
    'is not deployed with isolation %s, and the node has not grown by it',
    async (isolation) => {
      await start();
      const before = rss(node.pid);
      const model = hungry();
      expect(model.byteLength).toBeLessThan(300);
      const deploying = node.deploy('hungry', model, { isolation, maxMemoryBytes: 512 * MIB });
      await expect(deploying).rejects.toMatchObject({
        code: 'MODEL_MEMORY',
        message: expect.stringContaining('needs more than the 512 MiB that it may use') as string,
      });
      expect(rss(node.pid) - before).toBeLessThan(200 * MIB);
      await endsInTime();
    },
  );

  it('on some inputs gets an error, and its replica continues', async () => {
    await start();
    await node.deploy('filling', filling(), {
      isolation: 'process',
      maxMemoryBytes: 256 * MIB,
      replicas: { min: 1, max: 1 },
    });
    const fill = (zeros: bigint) =>
      node.client.infer('filling', { n: { shape: [1], data: BigInt64Array.of(zeros) } });
    const [replica] = replicaProcessesOf(node.pid);
    for (const zeros of [2_000_000_000n, 200_000_000n, 2n ** 50n]) {
      expect(await codeOf(fill(zeros))).toBe('MODEL_MEMORY');
      expect(await codeOf(fill(1_000n))).toBe('answered');
    }
    expect(replicaProcessesOf(node.pid)).toEqual([replica]);
    expect(rss(replica!)).toBeLessThan(600 * MIB);
  });
});

describe('an untrusted version', () => {
  const isolations = async (name: string) =>
    (await node.client.getDeployment({ name })).targets[0]!.replicas.map(
      ({ isolation }) => isolation,
    );
  const settings = { replicas: { min: 1, max: 1 } };

  it('runs in a process, and in no thread though asked', async () => {
    await start();
    await node.deploy('trusted', SMALL, settings);
    expect(await isolations('trusted')).toEqual(['thread']);
    const content = Buffer.from(counting());
    const { version, metadata } = await node.client.importModel({
      name: 'theirs',
      content,
      trust: 'untrusted',
    });
    expect(metadata).toMatchObject({ trust: 'untrusted' });
    const wanted = { name: 'theirs', version };
    const thread = node.client.deploy({ ...wanted, settings: { isolation: 'thread' } });
    await expect(thread).rejects.toMatchObject({
      code: 'DEPLOYMENT_INVALID',
      message: expect.stringContaining('untrusted') as string,
    });
    await node.client.deploy({ ...wanted, settings });
    expect(await isolations('theirs')).toEqual(['process']);
  });

  it('is every version on a node that isolates models', async () => {
    await start('--isolate-models');
    await node.deploy('small', SMALL, settings);
    expect(await isolations('small')).toEqual(['process']);
    await expect(node.deploy('small', SMALL, { isolation: 'thread' })).rejects.toMatchObject({
      code: 'DEPLOYMENT_INVALID',
    });
  });
});

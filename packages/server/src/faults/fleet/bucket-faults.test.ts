/** A node whose bucket is slow, full, overloaded, silent or denied: it serves on, and refuses uploads with a code. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mlp, writeModel } from '@skein/onnx';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import {
  startFaultyBucket,
  type FaultyBucket,
} from '../../../../state/src/artifacts/testing/faulty-bucket.ts';
import {
  MOTO_CREDENTIALS,
  startMotoServer,
  type MotoServer,
} from '../../../../state/src/artifacts/testing/moto-server.ts';
import {
  answerOf,
  deployVersion,
  type FleetNode,
  startFleet,
  type TestFleet,
} from '../../testing/fleet.ts';
import { outcomeOf } from '../../testing/outcome.ts';

const moto = requireComponent('python3-moto');
const PATIENCE = { timeout: 60_000, interval: 50 };
const LONG = { timeout: 180_000 };

describe.skipIf(moto.skip)('a node whose bucket', () => {
  let server: MotoServer;
  let bucket: FaultyBucket;
  let fleet: TestFleet;
  let node: FleetNode;
  let other: FleetNode;
  let version = 0;
  beforeAll(async () => {
    Object.assign(process.env, MOTO_CREDENTIALS);
    server = await startMotoServer();
    bucket = await startFaultyBucket(server.endpoint);
    const blobs = bucket.of(await server.bucket('models'));
    fleet = await startFleet(2, { blobs });
    [node, other] = fleet.nodes as [FleetNode, FleetNode];
    await deploys();
  }, 60_000);
  afterAll(async () => {
    if (bucket !== undefined) bucket.answer = 'pass';
    await fleet?.close();
    bucket?.close();
    await server?.[Symbol.asyncDispose]();
  });

  beforeEach(() => {
    bucket.answer = 'pass';
    bucket.delayMs = 0;
  });

  /** Deploys a further version, which the node then answers with. */
  async function deploys(): Promise<void> {
    const seed = version + 1;
    expect(await deployVersion(node, 'risk', seed)).toBe(String(seed));
    version = seed;
    await serves();
  }
  const serves = async () => expect(await answerOf(node, 'risk', fleet.key)).toBe(String(version));

  it.each([
    ['is denied', { status: 403, code: 'AccessDenied' }, 'STORE_DENIED'],
    ['has no space left', { status: 507, code: 'InsufficientStorage' }, 'STORAGE_FULL'],
    ['has a quota that is used up', { status: 403, code: 'QuotaExceeded' }, 'STORAGE_FULL'],
    ['has too many requests', { status: 503, code: 'SlowDown' }, 'STORE_UNREACHABLE'],
  ] as const)('%s', LONG, async (_what, answer, code) => {
    bucket.answer = answer;
    expect(await outcomeOf(deployVersion(node, 'risk', version + 1))).toBe(code);
    expect((await node.client.listVersions({ name: 'risk' })).versions).toHaveLength(version);
    await serves();
    // Work that needs no bytes of the bucket continues.
    const { id, secret } = await node.client.createKey({
      label: 'k',
      tenant: 't',
      scopes: ['infer'],
    });
    expect(await answerOf(node, 'risk', secret)).toBe(String(version));
    await node.client.revokeKey({ id });
    expect(await answerOf(node, 'risk', secret)).toBe('KEY_INVALID');
    await node.client.changeSettings({ name: 'risk', settings: { maxQueue: 100 + version } });
    expect((await fetch(`${node.url}/v2/health/ready`)).status).toBe(200);
    bucket.answer = 'pass';
    await deploys();
  });

  it(
    'is denied to a member that needs the bytes rolls a deploy back, and the deploy reports it',
    LONG,
    async () => {
      const answers = (node: FleetNode) =>
        expect.poll(() => answerOf(node, 'risk', fleet.key), PATIENCE).toBe(String(version));
      await answers(other);
      const content = writeModel(mlp({ sizes: [4, 3], seed: 99 })) as Uint8Array<ArrayBuffer>;
      const imported = await node.client.importModel({ name: 'risk', content });
      bucket.answer = { status: 403, code: 'AccessDenied' };
      // The member to which it was uploaded has a copy of its own, the other one has none.
      const deploying = node.client.deploy({ name: 'risk', version: imported.version });
      await expect(deploying).rejects.toMatchObject({
        code: 'ROLLED_BACK',
        message: expect.stringMatching(/rolled back: on member .* Access is denied to the bucket/),
      });
      for (const each of [node, other]) {
        await answers(each);
        expect((await fetch(`${each.url}/v2/health/ready`)).status).toBe(200);
      }
      bucket.answer = 'pass';
      version = Number(imported.version);
      await node.client.deploy({ name: 'risk', version: imported.version });
      for (const each of [node, other]) await answers(each);
    },
  );

  it('is slow takes longer to deploy', LONG, async () => {
    bucket.delayMs = 500;
    await deploys();
    await expect.poll(() => answerOf(other, 'risk', fleet.key), PATIENCE).toBe(String(version));
  });

  it(
    'is silent serves on, and finishes an upload when the bucket answers again',
    LONG,
    async () => {
      bucket.answer = 'silent';
      const before = bucket.refused;
      const deploying = outcomeOf(deployVersion(node, 'risk', version + 1));
      await expect.poll(() => bucket.refused, PATIENCE).toBeGreaterThan(before);
      await serves();
      bucket.answer = 'pass';
      expect(await deploying).toBe('succeeded');
      version += 1;
      await serves();
    },
  );
});

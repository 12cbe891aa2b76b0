/**
 * Nodes in processes of their own that start while their bucket or their Redis is away: one that was
 * here before serves its models, and one that is new explains why it does not start.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { startRedis, type TestRedis } from '../../../../jobs/src/store/testing/redis-server.ts';
import {
  startFaultyBucket,
  type BucketAnswer,
  type FaultyBucket,
} from '../../../../state/src/artifacts/testing/faulty-bucket.ts';
import {
  MOTO_CREDENTIALS,
  startMotoServer,
  type MotoServer,
} from '../../../../state/src/artifacts/testing/moto-server.ts';
import { answerOf, deployVersion } from '../../testing/fleet.ts';
import { startNodeProcess, type NodeProcess } from '../../testing/node-process.ts';
import { outcomeOf } from '../../testing/outcome.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';

const moto = requireComponent('python3-moto');
const PATIENCE = { timeout: 60_000, interval: 100 };
const LONG = { timeout: 180_000 };
const KEY = `skein_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('base64url')}`;
const DENIED: BucketAnswer = { status: 403, code: 'AccessDenied' };

describe.skipIf(moto.skip)('a node that starts', () => {
  let server: MotoServer;
  let bucket: FaultyBucket;
  let redis: TestRedis;
  let blobs: string;
  /** The data folder of the node that was here before. */
  let folder: string;
  let version = 0;
  beforeAll(async () => {
    server = await startMotoServer();
    bucket = await startFaultyBucket(server.endpoint);
    blobs = bucket.of(await server.bucket('models'));
    redis = await startRedis();
    folder = testFolder();
    await using node = await start();
    await deploys(node);
    await node.stop();
  }, 120_000);
  afterAll(async () => {
    bucket?.close();
    await redis?.destroy();
    await server?.[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    bucket.answer = 'pass';
  });

  const start = (
    given: { folder?: string; redis?: string; cache?: string } = {},
  ): Promise<NodeProcess> =>
    startNodeProcess({
      folder: given.folder ?? folder,
      key: KEY,
      args: ['--queues', 'none'],
      env: {
        ...MOTO_CREDENTIALS,
        SKEIN_ADMIN_KEY: KEY,
        SKEIN_REDIS: given.redis ?? redis.url,
        SKEIN_BLOBS: blobs,
        SKEIN_CACHE: given.cache ?? '',
      },
    });
  const startNew = (given: { redis?: string } = {}): Promise<NodeProcess> =>
    start({ ...given, folder: testFolder() });
  const answers = (node: NodeProcess) =>
    vi.waitFor(async () => expect(await answerOf(node, 'risk', KEY)).toBe(`${version}`), PATIENCE);
  async function deploys(node: NodeProcess): Promise<void> {
    expect(await deployVersion(node, 'risk', version + 1)).toBe(String(version + 1));
    version += 1;
    await answers(node);
  }
  const requirePassword = (password: string, before = '') =>
    promisify(execFile)(
      'redis-cli',
      ['-p', `${redis.port}`, 'config', 'set', 'requirepass', password],
      { env: { ...process.env, REDISCLI_AUTH: before } },
    );
  const logs = (node: NodeProcess, text: string) => expect.poll(node.log, PATIENCE).toContain(text);

  it.each([
    ['is denied', DENIED, 'STORE_DENIED', 'Access is denied to the bucket models'],
    ['ends connections', 'cut', 'STORE_UNREACHABLE', 'Cannot use the bucket models'],
  ] as const)('while its bucket %s', LONG, async (_what, answer, code, message) => {
    bucket.answer = answer;
    await using node = await start();
    await answers(node);
    await logs(node, `"code":"${code}","reason":"${message}`);
    expect((await fetch(`${node.url}/v2/health/accepting`)).status).toBe(200);
    expect(await outcomeOf(deployVersion(node, 'risk', version + 1))).toBe(code);
    await answers(node);
    bucket.answer = 'pass';
    await deploys(node);
    await logs(node, 'The bucket of the fleet can be used again.');

    bucket.answer = answer;
    await expect(startNew()).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  it('while its bucket is silent', LONG, async () => {
    bucket.answer = 'silent';
    const before = bucket.refused;
    await using node = await start();
    await answers(node);
    await expect.poll(() => bucket.refused, PATIENCE).toBeGreaterThan(before);
    bucket.answer = 'pass';
    await deploys(node);
  });

  it('with a bound of its copies keeps those that it serves', LONG, async () => {
    const copies = join(folder, '.skein/model-cache');
    expect((await readdir(copies)).length).toBeGreaterThan(1);
    await using node = await start({ cache: '1' });
    await answers(node);
    expect(await readdir(copies)).toHaveLength(1);
  });

  it('without a copy of its model loads it when its bucket answers', LONG, async () => {
    await rm(join(folder, '.skein/model-cache'), { recursive: true });
    bucket.answer = DENIED;
    await using node = await start();
    expect(JSON.stringify(await node.client.getDeployment({ name: 'risk' }))).toContain(
      'Access is denied to the bucket models',
    );
    bucket.answer = 'pass';
    await answers(node);
  });

  it('while its Redis refuses its password', LONG, async () => {
    const wrong = redis.url.replace('redis://', 'redis://:wrong@');
    await expect(startNew({ redis: wrong.replace(String(redis.port), '1') })).rejects.toMatchObject(
      { code: 'STORE_UNREACHABLE', message: expect.stringContaining('ECONNREFUSED') },
    );
    await requirePassword('right');
    await expect(startNew({ redis: wrong })).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringContaining('WRONGPASS'),
    });
    await using node = await start({ redis: wrong });
    await answers(node);
    expect((await node.client.getNode()).store).toMatchObject({
      state: 'away',
      reason: expect.stringMatching(/^Redis at .* cannot be used: WRONGPASS/),
    });
    expect(await outcomeOf(deployVersion(node, 'risk', version + 1))).toBe('STORE_UNREACHABLE');
    await requirePassword('wrong', 'right');
    await expect
      .poll(async () => (await node.client.getNode()).store?.state, PATIENCE)
      .toBe('current');
    await deploys(node);
  });
});

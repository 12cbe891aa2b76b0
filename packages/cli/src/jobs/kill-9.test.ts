/**
 * A fleet as an operator starts it, `skein up` and `skein worker` over a Redis. Each process, also
 * the Redis, is killed with SIGKILL at random moments and restarted. Jobs come over HTTP. Every
 * accepted job ends once, and the kept result of a job comes from one attempt.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import type { JobView, NewJobInput } from '@skein/api';
import { createClient } from '@skein/api/client';
import { seededRandom } from '@skein/onnx';
import { openRedisJobs } from '@skein/jobs/redis';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { FULL, roundsOf, SEED } from '../../../jobs/src/faults/testing/fault-size.ts';
import { startRedis } from '../../../jobs/src/store/testing/redis-server.ts';
import { startNodeProcess } from '../../../server/src/testing/node-process.ts';
import { startCli } from '../testing/cli.ts';

const redisComponent = requireComponent('redis');
const ROUNDS = roundsOf(4);
const JOBS_PER_ROUND = 3;
const long = { timeout: 60_000 };
const ENDED: readonly JobView['state'][] = ['succeeded', 'failed', 'cancelled', 'dead'];

/**
 * Writes a word that is unique to its attempt to its log, works, and leaves the word as its output.
 */
const SIGN = `
word=$(cat /proc/sys/kernel/random/uuid)
echo "$word"
sleep "$SECONDS_OF_WORK"
echo "$KEY $word" > signed`;

const signed = (key: string, ms: number): NewJobInput => ({
  idempotencyKey: key,
  work: {
    kind: 'command',
    argv: ['/bin/sh', '-c', SIGN],
    env: { KEY: key, SECONDS_OF_WORK: String(ms / 1000) },
    outputs: [{ path: 'signed' }],
    // The faults are the same in each sandbox, and every machine has this one.
    trusted: true,
    sandbox: 'process',
    network: 'host',
  },
  resources: { cores: 0.5, memoryBytes: 2 ** 26 },
  retry: { maxAttempts: 1000, backoffMs: 10, maxBackoffMs: 100 },
});

/** A process of the fleet that can be killed and restarted with the same arguments. */
interface Member {
  kill(): Promise<void>;
  start(): Promise<void>;
}

async function startFleet() {
  const folder = testFolder();
  const redis = await startRedis();
  const places = ['--redis', redis.url, '--blobs', join(folder, 'blobs')];
  const args = [...places, '--queues', 'none'];
  let node = await startNodeProcess({ folder, args });
  const { url, port } = node;
  const worker = async (): Promise<Member> => {
    const start = async () => {
      const options = ['--lease', '1500ms', '--cores', '2', '--memory', '1GiB', '--json'];
      const cli = startCli(['worker', ...places, ...options], { cwd: folder });
      await cli.saw(/^\}$/m);
      return cli;
    };
    let running = await start();
    return {
      async kill() {
        running.process.kill('SIGKILL');
        await running.ended;
      },
      async start() {
        running = await start();
      },
    };
  };
  const members: readonly Member[] = [
    {
      kill: () => node.kill(),
      async start() {
        node = await startNodeProcess({ folder, port, args });
      },
    },
    { kill: () => redis.kill(), start: () => redis.start() },
    await worker(),
    await worker(),
  ];
  return {
    url,
    redis,
    members,
    async [Symbol.asyncDispose]() {
      for (const member of members) await member.kill();
      await redis.destroy();
    },
  };
}

describe.skipIf(redisComponent.skip)(`a fleet under kill -9, seed ${SEED}`, () => {
  it(
    'loses no accepted job and commits no output twice',
    { timeout: 120_000 + ROUNDS * 15_000 },
    async () => {
      const random = seededRandom(SEED);
      await using fleet = await startFleet();
      const client = createClient({ url: fleet.url });
      /** Sent jobs by key, accepted or not; and the ids of the accepted ones. */
      const sent = new Map<string, NewJobInput>();
      const accepted = new Map<string, string>();
      const send = async (key: string, job: NewJobInput): Promise<void> => {
        sent.set(key, job);
        const { jobs } = await client.enqueueJobs({ jobs: [job] });
        accepted.set(key, jobs[0]!.id);
      };

      for (let round = 0; round < ROUNDS; round++) {
        const sending = Array.from({ length: JOBS_PER_ROUND }, async (_, index) => {
          const key = `${round}-${index}`;
          await sleep(random.next() * 300);
          await send(key, signed(key, Math.floor(random.next() * 800)));
        });
        const answers = Promise.allSettled(sending);
        // The members are killed one after the other, at any moment of the sending and the work.
        const victim = fleet.members[round % fleet.members.length]!;
        await sleep(random.next() * 800);
        await victim.kill();
        await answers;
        await victim.start();
      }

      // A sender without an answer retries, which must not create a second job.
      for (const [key, job] of sent) {
        if (accepted.has(key)) continue;
        await expect
          .poll(
            () =>
              send(key, job).then(
                () => true,
                () => false,
              ),
            long,
          )
          .toBe(true);
      }
      expect(new Set(accepted.values()).size).toBe(ROUNDS * JOBS_PER_ROUND);

      let tries = 0;
      for (const [key, id] of accepted) {
        const job = async () => client.getJob({ id }).catch(() => undefined);
        await expect.poll(async () => ENDED.includes((await job())!.state), long).toBe(true);
        const { state, attempts, result } = (await job())!;
        expect(state, key).toBe('succeeded');
        tries += attempts.length;
        expect(attempts.filter(({ outcome }) => outcome === 'succeeded')).toEqual([
          attempts.at(-1),
        ]);
        const content = await client.downloadArtifact({ digest: result!.outputs[0]!.digest });
        const [, word] = Buffer.from(await new Response(content).arrayBuffer())
          .toString()
          .trim()
          .split(' ');
        for (const { number, outcome } of attempts) {
          const { text } = await client.readJobLog({ id, attempt: number });
          if (outcome === 'succeeded') expect(text).toBe(`${word}\n`);
          else expect(text).not.toContain(word);
        }
      }
      // Some kills hit running work; otherwise the test would prove nothing.
      if (FULL) expect(tries).toBeGreaterThan(accepted.size);
      const { jobs } = await client.listJobs({ limit: 1000 });
      expect(jobs.map(({ id }) => id).toSorted()).toEqual([...accepted.values()].toSorted());

      // Each has ended once in the history of the store too, up to one that ends after all of them.
      await send('last', signed('last', 0));
      const last = accepted.get('last')!;
      const store = await openRedisJobs(fleet.redis.url, { namespace: 'fleet' });
      const successes: string[] = [];
      const stop = new AbortController();
      for await (const { job, kind, state } of store.events({ after: 0 }, stop.signal)) {
        if (kind !== 'state' || state !== 'succeeded') continue;
        successes.push(job);
        if (job === last) stop.abort();
      }
      expect(successes.toSorted()).toEqual([...accepted.values()].toSorted());
      await store.close();
    },
  );
});

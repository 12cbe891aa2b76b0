import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import type { CheckpointStore } from '../../checkpoint/checkpoint.ts';
import { trainIn, type Progress } from '../../trainer/trainer.ts';
import { RankLost, type Collective } from '../collective.ts';
import { leadRanks } from '../ranks.ts';
import { moonsPlan, moonsStep } from '../testing/moons.ts';
import { ringOptions } from '../testing/ring.ts';
import { elastic } from './elastic.ts';

const FOLLOWER = fileURLToPath(new URL('../testing/moons-follower.ts', import.meta.url));
const EVERY = 5;

function inMemory(): CheckpointStore {
  let saved: Uint8Array | undefined;
  return {
    load: async () => saved,
    save: async (bytes) => void (saved = bytes.slice()),
  };
}

/** Trains as rank 0 in each group that forms, from the last checkpoint. */
function leading(sizes: number[], onProgress: (progress: Progress) => void) {
  const checkpoints = inMemory();
  return (collective: Collective) => {
    sizes.push(collective.size);
    const step = moonsStep(collective.size);
    const options = { ...moonsPlan, checkpoints, checkpointEvery: EVERY, onProgress };
    return trainIn(step, () => leadRanks(collective, step, moonsPlan), options);
  };
}

it('continues with two of three ranks, renumbered', async () => {
  const ring = { ...(await ringOptions(3)), rank: 0 };
  const start = (rank: number) =>
    spawn(process.execPath, [FOLLOWER, String(ring.port), String(rank), '3'], {
      stdio: 'ignore',
    });
  const [first, second] = [start(1), start(2)];
  const left = new Promise<number | null>((resolve) => second.once('exit', resolve));
  const sizes: number[] = [];
  const onProgress = ({ step }: Progress) => {
    if (step === 4 * EVERY + 3 && sizes.length === 1) first.kill('SIGKILL');
  };
  const result = await elastic(ring, leading(sizes, onProgress), { regroupMs: 2000 });
  expect(sizes).toEqual([3, 2]);
  expect(result.epochs).toHaveLength(moonsPlan.epochs);
  expect(result.epochs.at(-1)!.loss).toBeLessThan(0.1);
  // The remaining rank has worked to the end.
  expect(await left).toBe(0);
}, 60_000);

it('keeps calling the leader for as long as an evaluation may take', async () => {
  const ring = await ringOptions(2);
  const lost = new RankLost(1, 'is gone.');
  let calls = 0;
  /** Calls a port without a listener: a caller that gives up at once would call only once. */
  const evaluating = () =>
    new Promise<void>((resolve) => {
      const server = createServer((socket) => {
        socket.on('error', () => undefined).destroy();
        if (++calls === 2) server.close(() => resolve());
      }).listen(ring.port, ring.host);
    });
  const times = [0, 0];
  const leading = elastic({ ...ring, rank: 0 }, async (collective) => {
    if (times[0]!++ > 0) return collective.size;
    await collective.close();
    await evaluating();
    throw lost;
  });
  const following = elastic(
    { ...ring, rank: 1 },
    async (collective) => {
      if (times[1]!++ > 0) return collective.size;
      await collective.sum(collective.own('float32', 1), collective.common('float32', 1));
      return 0;
    },
    { regroupMs: 1 },
  );
  expect(await Promise.all([leading, following])).toEqual([2, 2]);
}, 60_000);

it('resumes from the last checkpoint when a worker is killed', async () => {
  const ring = { ...(await ringOptions(2)), rank: 0 };
  const child = spawn(process.execPath, [FOLLOWER, String(ring.port), '1', '2'], {
    stdio: 'ignore',
  });
  const steps: number[] = [];
  const sizes: number[] = [];
  const losses: RankLost[] = [];
  const onProgress = ({ step }: Progress) => {
    steps.push(step);
    // Three steps after a checkpoint.
    if (step === 4 * EVERY + 3 && sizes.length === 1) child.kill('SIGKILL');
  };
  const result = await elastic(ring, leading(sizes, onProgress), {
    regroupMs: 200,
    onLost: (lost) => losses.push(lost),
  });
  expect(sizes).toEqual([2, 1]);
  expect(losses).toMatchObject([{ rank: 1 }]);
  // The steps since the last checkpoint are repeated, and no others.
  const cut = steps.findIndex((step, i) => i > 0 && step <= steps[i - 1]!);
  expect(steps[cut]! - 1).toBe(Math.floor(steps[cut - 1]! / EVERY) * EVERY);
  expect(steps[cut]! - 1).toBeGreaterThanOrEqual(4 * EVERY);
  expect(result.stopped).toBe('done');
  expect(result.epochs).toHaveLength(moonsPlan.epochs);
  expect(result.epochs.at(-1)!.loss).toBeLessThan(0.1);
}, 60_000);

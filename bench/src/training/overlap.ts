/**
 * Gradients that are sent while the rest is computed, over gradients that are sent when all are
 * ready: McMahan's CNN on two processes between which a link of 1 Gbit/s is imitated. It has no
 * target: the gain depends on the link and the model.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { StepSession } from '@skein/train';
import { leadRanks } from '@skein/train/parallel';
import { freePort } from '../harness/free-port.ts';
import type { Measure } from '../harness/report.ts';
import { median } from '../harness/statistics.ts';
import { limitedRing, overlapWork, type Sending } from './overlap-ring.ts';

export const OVERLAP: Measure = {
  key: 'overlap_speedup',
  what: 'McMahan’s CNN, batch 100 in all, two processes and 1 Gbit/s: gradients sent at the end over sent meanwhile',
  unit: '×',
  target: null,
};

const FOLLOWER = fileURLToPath(new URL('./overlap-follower.ts', import.meta.url));
const LEARNING_RATE = 0.01;

export interface OverlapTimes {
  readonly afterMs: number;
  readonly meanwhileMs: number;
}

interface Ring {
  step(): Promise<unknown>;
  close(): Promise<void>;
}

async function openRing(sending: Sending): Promise<Ring> {
  const port = await freePort();
  const follower = spawn(process.execPath, [FOLLOWER, String(port), sending], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = once(follower, 'exit');
  const { step, rows, dealing } = overlapWork(sending);
  const session: StepSession = await leadRanks(await limitedRing(port, 0), step, dealing);
  const batch = new Map(Object.entries(rows));
  let at = 0;
  return {
    step: () => session.step(batch, LEARNING_RATE, at++),
    async close() {
      await session.close();
      await ended;
    },
  };
}

/** Medians of both, in milliseconds a step; the rounds alternate. */
export async function measureOverlap({ quick }: { quick: boolean }): Promise<OverlapTimes> {
  const rings = [await openRing('after'), await openRing('meanwhile')];
  const times = rings.map((): number[] => []);
  try {
    for (const ring of rings) for (let i = 0; i < 3; i += 1) await ring.step();
    for (let round = 0; round < (quick ? 3 : 10); round += 1) {
      for (const [i, ring] of rings.entries()) {
        for (let step = 0; step < (quick ? 4 : 8); step += 1) {
          const begun = performance.now();
          await ring.step();
          times[i]!.push(performance.now() - begun);
        }
      }
    }
  } finally {
    for (const ring of rings) await ring.close();
  }
  const [afterMs, meanwhileMs] = times.map(median);
  return { afterMs: afterMs!, meanwhileMs: meanwhileMs! };
}

/** A ring of two processes over loopback, held back to what a link of some speed carries. */
import { setTimeout as sleep } from 'node:timers/promises';
import { dataset } from '@skein/train';
import { nativeBackend } from '@skein/train/native';
import { gradientStep, joinRing, rowsPerRank, type Collective } from '@skein/train/parallel';
import { gradedModel } from './models.ts';

const BATCH = 100;
const RANKS = 2;
/** 1 Gbit/s. */
const BYTES_PER_MS = 125_000;

/** When gradients are sent: after all are there, or in the buckets that are the default between machines. */
export type Sending = 'after' | 'meanwhile';

/** The work of both ranks, and its schedule. */
export function overlapWork(sending: Sending) {
  const { model, options } = gradedModel('cnn', rowsPerRank(BATCH, RANKS));
  const { rows } = gradedModel('cnn', BATCH);
  return {
    rows,
    step: gradientStep(model, options),
    dealing: {
      data: dataset(rows),
      batch: BATCH,
      seed: 1,
      backend: nativeBackend,
      ...(sending === 'after' ? { bucketBytes: Infinity } : {}),
    },
  };
}

/** A sum takes at least as long as its bytes would on the link; of two ranks, each sends all of them. */
export async function limitedRing(port: number, rank: number): Promise<Collective> {
  const secret = new TextEncoder().encode('of a benchmark, which is not one');
  const ring = await joinRing({
    host: '127.0.0.1',
    port,
    rank,
    size: RANKS,
    secret,
    plan: 'bench',
  });
  return {
    ...ring,
    overlap: 'worthwhile',
    async sum(own, into) {
      await Promise.all([ring.sum(own, into), sleep(into.byteLength / BYTES_PER_MS)]);
    },
  };
}

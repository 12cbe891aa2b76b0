/**
 * Where the steps of a training run: in this thread, in several threads, or in the ranks of a gang.
 */
import type { Collective } from '../../parallel/collective.ts';
import { rowsPerRank } from '../../parallel/batch-part.ts';
import type { Compression } from '../../parallel/compression/exchange.ts';
import { gradientStep } from '../../parallel/gradient-step.ts';
import { followRanks, leadRanks, type RankOptions } from '../../parallel/ranks.ts';
import { elastic } from '../../parallel/ring/elastic.ts';
import { joinRing } from '../../parallel/ring/rendezvous.ts';
import { openThreads } from '../../parallel/threads/threads.ts';
import { nativeBackend } from '../../run/native-backend.ts';
import { MASK, problemOf } from '../../task/problem.ts';
import type { TaskGroup } from '../../task/train-task.ts';
import { invalidSetting } from '../failure.ts';
import type { Gang } from './gang.ts';
import type { Keeper } from './keeper.ts';
import type { Prepared } from '../prepare.ts';
import { clipOf, optimiserOf, planOf, rowsPerStep, type Settings } from '../settings.ts';

/** The place of this process in a gang, and the copies of the run that the gang keeps. */
export interface Membership {
  readonly gang: Gang;
  /**
   * Keeps copies of the run when a gang is retried as a whole. Its members then end when one is
   * lost; otherwise they continue without it.
   */
  readonly keeper?: Keeper | undefined;
}

type Note = (text: string) => void;

/**
 * Checks the options for several workers before anything is written.
 * @param several whether the training has several workers, in this process or in a gang.
 * @throws SkeinError USAGE.
 */
export function assertMultiWorkerOptions(
  { localSteps, compress, bucket }: Settings,
  several: boolean,
): void {
  if (compress !== undefined) compressionOf(compress);
  const [setting] = [
    ...(localSteps === undefined ? [] : ['`localSteps`']),
    ...(compress === undefined ? [] : ['`compress`']),
  ];
  if (bucket !== undefined && setting !== undefined) {
    throw invalidSetting(
      `\`bucket\` sends gradients in parts, and with ${setting} they go at once: leave one of them out.`,
    );
  }
  if (several || setting === undefined) return;
  throw invalidSetting(
    `${setting} is about what workers exchange, and there is one worker: give \`workers\` N or start a gang, or leave ${setting} out.`,
  );
}

/**
 * A run that begins with `bucket` begins in a gang; it may be resumed without one.
 * @throws SkeinError USAGE.
 */
export function assertGangOptions({ bucket }: Settings, inGang: boolean): void {
  if (bucket === undefined || inGang) return;
  throw invalidSetting(
    '`bucket` is about what the members of a gang send to each other: start a gang, or leave it out.',
  );
}

/** Trains on the configured workers; again, from the checkpoint, when a member of a gang is lost. */
export async function trainDistributed<T>(
  note: Note,
  member: Membership | undefined,
  { prepared, settings }: { readonly prepared: Prepared; readonly settings: Settings },
  train: (group: TaskGroup | undefined) => Promise<T>,
): Promise<T> {
  const options = rankOptions(prepared, settings);
  if (member === undefined) {
    const { workers } = settings;
    if (workers === 1) return train(undefined);
    const { graded } = problemFor(prepared, settings, workers);
    note(`Training on ${workers} workers, threads of this process.`);
    return train({ graded, open: (step) => openThreads(step, { ...options, workers }) });
  }
  const { gang, keeper } = member;
  note(`Waiting for ${gang.size} workers at ${gang.host}:${gang.port} …`);
  const work = (collective: Collective) => {
    note(`Training on ${collective.size} of ${gang.size} workers.`);
    const { graded } = problemFor(prepared, settings, collective.size);
    return train({ graded, open: (step) => leadRanks(collective, step, options) });
  };
  const ring = { ...gang, plan: planText(prepared, settings) };
  if (keeper !== undefined) return work(await joinRing(ring));
  return elastic(ring, work, {
    onLost: (lost) => note(`${lost.message} Going on from the last checkpoint.`),
  });
}

/** Works as a member of a gang that is not its leader, until the training ends. */
export async function followGang(
  note: Note,
  { gang, keeper }: Membership,
  prepared: Prepared,
  settings: Settings,
): Promise<void> {
  const work = (collective: Collective) => {
    note(`Rank ${collective.rank} of ${collective.size} is at work.`);
    const { model, ...loss } = problemFor(prepared, settings, collective.size).graded;
    const clip = clipOf(settings);
    const step = gradientStep(model, {
      ...loss,
      optimiser: optimiserOf(settings),
      clip,
      frozen: settings.freeze,
    });
    return followRanks(collective, step, rankOptions(prepared, settings));
  };
  note(`Rank ${gang.rank} calls rank 0 at ${gang.host}:${gang.port} …`);
  const ring = { ...gang, plan: planText(prepared, settings) };
  if (keeper !== undefined) await work(await joinRing(ring));
  else await elastic(ring, work, { onLost: (lost) => note(lost.message) });
}

function problemFor({ start }: Prepared, settings: Settings, size: number) {
  return problemOf(start, {
    batch: rowsPerRank(rowsPerStep(settings), size, settings.accumulate),
    loss: settings.loss,
    frozen: settings.freeze,
  });
}

function rankOptions({ training }: Prepared, settings: Settings): RankOptions {
  const { accumulate, seed, threads, localSteps, compress, bucket, checkpointEvery } = settings;
  return {
    backend: nativeBackend,
    data: training,
    batch: rowsPerStep(settings),
    accumulate,
    seed,
    threads,
    mask: MASK,
    ...(localSteps === undefined ? {} : { local: { steps: localSteps } }),
    ...(compress === undefined ? {} : { compression: compressionOf(compress) }),
    bucketBytes: bucket,
    checkpointEvery,
  };
}

function compressionOf(text: string): Compression {
  if (text === '8-bit') return { kind: '8-bit' };
  const share = Number(/^top-k:(0?\.\d+|1)$/.exec(text)?.[1] ?? '0');
  if (share > 0) return { kind: 'top-k', share };
  throw invalidSetting(
    `\`compress\`: "${text}" is neither 8-bit nor top-k with a share, such as top-k:0.01.`,
  );
}

/** Settings of one member alone, and paths: rows and model are identified by their digests. */
const OWN = [
  'model',
  'data',
  'labels',
  'validation',
  'validationLabels',
  'memory',
  'workers',
  'threads',
] as const satisfies readonly (keyof Settings)[];

/** The plan that all members must agree on, for new and resumed runs. */
function planText(prepared: Prepared, settings: Settings): string {
  const { data, parent, training } = prepared;
  const plan: Record<string, unknown> = { ...planOf(settings, prepared) };
  for (const key of OWN) delete plan[key];
  return JSON.stringify([
    plan,
    parent.digest,
    data.map(({ role, digest, rows }) => [role, digest, rows]),
    training.count,
  ]);
}

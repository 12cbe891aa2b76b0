/**
 * Who takes the steps of a training: this thread, several threads, or the ranks of a gang. A gang is
 * what MASTER_ADDR, MASTER_PORT, RANK and WORLD_SIZE say, as jobs and torchrun set them; its members
 * prove to each other that they know a secret.
 */
import { readFile } from 'node:fs/promises';
import { MASK, problemOf, type TaskGroup } from '@skein/train';
import { nativeBackend } from '@skein/train/native';
import {
  elastic,
  followRanks,
  gradientStep,
  leadRanks,
  openThreads,
  rowsPerRank,
  type Collective,
  type Compression,
  type Meeting,
  type RankOptions,
} from '@skein/train/parallel';
import type { Context } from '../command.ts';
import { usageError } from '../usage.ts';
import type { Prepared } from './prepare.ts';
import { optimiserOf, planOf, type Settings } from './settings.ts';

const LEAST_SECRET = 16;

export type Gang = Omit<Meeting, 'plan'>;

/** @returns `undefined` when the environment names no gang. @throws SkeinError USAGE. */
export async function gangOf(env: Context['env']): Promise<Gang | undefined> {
  const size = Number(env['WORLD_SIZE'] ?? '1');
  if (size === 1) return undefined;
  const rank = Number(env['RANK'] ?? '');
  const port = Number(env['MASTER_PORT'] ?? '');
  const host = env['MASTER_ADDR'] ?? '';
  const whole = (value: number, least: number, below: number) =>
    Number.isInteger(value) && value >= least && value < below;
  if (!whole(size, 2, 65_536) || !whole(rank, 0, size) || !whole(port, 1, 65_536) || host === '') {
    throw usageError(
      `A gang needs MASTER_ADDR, MASTER_PORT, RANK and WORLD_SIZE, but they are "${host}", "${env['MASTER_PORT'] ?? ''}", "${env['RANK'] ?? ''}" and "${env['WORLD_SIZE'] ?? ''}".`,
    );
  }
  const secret = await secretOf(env);
  return { host, port, rank, size, secret };
}

async function secretOf(env: Context['env']): Promise<Uint8Array> {
  const path = env['SKEIN_GROUP_SECRET_FILE'];
  const text = path === undefined ? env['SKEIN_GROUP_SECRET'] : await readFile(path, 'utf8');
  const secret = new TextEncoder().encode(text?.trim() ?? '');
  if (secret.byteLength >= LEAST_SECRET) return secret;
  throw usageError(
    `The members of a gang prove that they belong to it: give all of them the same SKEIN_GROUP_SECRET, or SKEIN_GROUP_SECRET_FILE, of at least ${LEAST_SECRET} characters.`,
  );
}

/** Trains with whoever is to take the steps; again, from the checkpoint, when a member of a gang is lost. */
export async function inCompany<T>(
  { env, notes }: Pick<Context, 'env' | 'notes'>,
  prepared: Prepared,
  settings: Settings,
  train: (group: TaskGroup | undefined) => Promise<T>,
): Promise<T> {
  const gang = await gangOf(env);
  const options = rankOptions(prepared, settings);
  if (gang === undefined) {
    const { workers } = settings;
    if (workers === 1) return train(undefined);
    const { graded } = problemFor(prepared, settings, workers);
    notes.line(`Training on ${workers} workers, threads of this process.`);
    return train({ graded, open: (step) => openThreads(step, { ...options, workers }) });
  }
  notes.line(`Waiting for ${gang.size} workers at ${gang.host}:${gang.port} …`);
  return elastic(
    { ...gang, plan: planText(prepared, settings) },
    (collective) => {
      notes.line(`Training on ${collective.size} of ${gang.size} workers.`);
      const { graded } = problemFor(prepared, settings, collective.size);
      return train({ graded, open: (step) => leadRanks(collective, step, options) });
    },
    { onLost: (lost) => notes.line(`${lost.message} Going on from the last checkpoint.`) },
  );
}

/** Works as a member of a gang that is not its leader, until that is done. */
export async function followGang(
  notes: Context['notes'],
  gang: Gang,
  prepared: Prepared,
  settings: Settings,
): Promise<void> {
  const work = (collective: Collective) => {
    notes.line(`Rank ${collective.rank} of ${collective.size} is at work.`);
    const { model, ...loss } = problemFor(prepared, settings, collective.size).graded;
    const step = gradientStep(model, {
      ...loss,
      optimiser: optimiserOf(settings),
      ...(settings.clipNorm === undefined ? {} : { clip: { norm: settings.clipNorm } }),
      ...(settings.freeze === undefined ? {} : { frozen: settings.freeze }),
    });
    return followRanks(collective, step, rankOptions(prepared, settings));
  };
  await elastic({ ...gang, plan: planText(prepared, settings) }, work, {
    onLost: (lost) => notes.line(lost.message),
  });
}

function problemFor({ start }: Prepared, settings: Settings, size: number) {
  return problemOf(start, {
    batch: rowsPerRank(settings.batch, size),
    ...(settings.loss === undefined ? {} : { loss: settings.loss }),
    ...(settings.freeze === undefined ? {} : { frozen: settings.freeze }),
  });
}

function rankOptions({ training }: Prepared, settings: Settings): RankOptions {
  const { batch, seed, threads, localSteps, compress, checkpointEvery } = settings;
  return {
    backend: nativeBackend,
    data: training,
    batch,
    seed,
    threads,
    mask: MASK,
    ...(localSteps === undefined ? {} : { local: { steps: localSteps } }),
    ...(compress === undefined ? {} : { compression: compressionOf(compress) }),
    ...(checkpointEvery === undefined ? {} : { checkpointEvery }),
  };
}

function compressionOf(text: string): Compression {
  if (text === '8-bit') return { kind: '8-bit' };
  const share = Number(/^top-k:(0?\.\d+|1)$/.exec(text)?.[1] ?? '0');
  if (share > 0) return { kind: 'top-k', share };
  throw usageError(
    `--compress: "${text}" is neither 8-bit nor top-k with a share, such as top-k:0.01.`,
  );
}

/** What all members must agree on: settings and rows, not where they lie. */
function planText({ data, source, training }: Prepared, settings: Settings): string {
  const { data: _path, validation: _other, ...plan } = planOf(settings, source.described);
  return JSON.stringify([
    plan,
    data.map(({ role, digest, rows }) => [role, digest, rows]),
    training.count,
  ]);
}

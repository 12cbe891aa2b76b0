/**
 * The settings of a run: a training with its defaults filled in. A run keeps its settings, so that
 * it can be resumed by its name alone.
 */
import { defined } from '@skein/api/defined';
import type { Run } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import type { Clipping } from '../optimisers/clip.ts';
import type { Optimiser } from '../optimisers/optimiser.ts';
import { OPTIMISER_NAMES, OPTIMISERS } from '../optimisers/optimisers.ts';
import { constant, cosine, stepDecay, warmUp, type Schedule } from '../schedules/schedule.ts';
import {
  SCHEDULE_NAMES,
  SETTING_NAMES,
  SHUFFLES,
  WHOLE_SETTINGS,
  type ScheduleName,
  type Shuffle,
  type Training,
} from '../task/define-training.ts';
import { DEFAULT_LOSS } from '../task/task.ts';
import { invalidSetting } from './failure.ts';

/** Default settings. */
const DEFAULTS = {
  validation: 0.2,
  missing: 'refuse',
  optimiser: 'adam',
  schedule: 'constant',
  warmup: 0,
  epochs: 20,
  batch: 32,
  accumulate: 1,
  seed: 42,
  threads: 1,
  workers: 1,
  memory: 256 * 2 ** 20,
} as const;

type Defaulted = keyof typeof DEFAULTS;
export type Settings = Omit<Training, Defaulted> & Required<Pick<Training, Defaulted>>;

/** @throws SkeinError USAGE naming the setting that is unknown, out of its range, or no choice. */
export function settingsOf(training: Training): Settings {
  assertKnown(training);
  const given = Object.entries(training).filter(([, value]) => value !== undefined);
  const settings = { ...DEFAULTS, ...(Object.fromEntries(given) as unknown as Training) };
  assertWhole(settings);
  assertChosen(settings);
  return settings;
}

export function assertFolder(options: { readonly folder: unknown } | undefined): void {
  const folder = options?.folder;
  if (typeof folder === 'string' && folder !== '') return;
  throw invalidSetting('`folder` is missing: the data folder that keeps the run.');
}

function assertKnown(training: Training): void {
  const known: ReadonlySet<string> = new Set(SETTING_NAMES);
  const unknown = Object.keys(training).find((name) => !known.has(name));
  if (unknown === undefined) return;
  throw invalidSetting(
    `There is no setting \`${unknown}\`; there are ${SETTING_NAMES.join(', ')}.`,
  );
}

function assertWhole(settings: Settings): void {
  for (const [name, [least, most]] of Object.entries(WHOLE_SETTINGS)) {
    const value: unknown = settings[name as keyof typeof WHOLE_SETTINGS];
    if (value === undefined) continue;
    if (Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most) continue;
    throw invalidSetting(
      `\`${name}\` must be a whole number from ${least} to ${most}, not ${shown(value)}.`,
    );
  }
}

function assertChosen(settings: Settings): void {
  const { optimiser, schedule, missing, task, scaling, shuffle } = settings;
  const choices = [
    ['optimiser', typeof optimiser === 'string' ? optimiser : undefined, OPTIMISER_NAMES],
    ['schedule', schedule, SCHEDULE_NAMES],
    ['missing', missing, ['refuse', 'drop', 'mean']],
    ['task', task, Object.keys(DEFAULT_LOSS)],
    ['scaling', scaling, ['standard', 'unit', 'none']],
    ['shuffle', shuffle, SHUFFLES],
  ] as const;
  for (const [name, value, known] of choices) {
    if (value === undefined || (known as readonly string[]).includes(value)) continue;
    throw invalidSetting(`\`${name}\` must be one of ${known.join(', ')}, not ${shown(value)}.`);
  }
}

const shown = (value: unknown): string =>
  typeof value === 'string' ? JSON.stringify(value) : String(value);

/**
 * The settings as text for a run: every choice, in words and numbers. The order of the rows is among them where it was
 * given, or is in blocks: a run that is resumed on another machine keeps it.
 */
export function planOf(
  settings: Settings,
  {
    source,
    shuffle,
  }: {
    readonly source: { readonly described: string };
    readonly shuffle?: Shuffle | undefined;
  },
): Run['plan'] {
  const { optimiser } = settings;
  const chosen = {
    ...settings,
    ...defined({ shuffle }),
    // A program may give both as values, which have no words.
    model: source.described,
    optimiser: typeof optimiser === 'string' ? optimiser : describedOptimiser(optimiser),
    rate: rateOf(settings),
  };
  const plan: Record<string, string | number | boolean> = {};
  for (const [key, value] of Object.entries(chosen)) {
    if (key !== 'name') plan[key] = shortened(inWords(value));
  }
  return plan;
}

/** `adamw {"beta1":0.9,…}`: its options are in no other setting. */
function describedOptimiser({ name, options }: Optimiser): string {
  return options === undefined ? name : `${name} ${JSON.stringify(options)}`;
}

/** Largest number of characters in a record. */
const LONGEST = 4096;

function shortened<T extends string | number | boolean>(value: T): T | string {
  return typeof value === 'string' ? value.slice(0, LONGEST) : value;
}

function inWords(value: unknown): string | number | boolean {
  if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') {
    return value;
  }
  if (value instanceof RegExp) return value.source;
  if (Array.isArray(value)) return value.join(',');
  return JSON.stringify(value) ?? String(value);
}

/** Settings that may change when a run is resumed; a gang of jobs is in the copy that its caller keeps. */
const FREE = new Set(['model', 'workers', 'threads', 'memory', 'gang']);

/** @throws SkeinError RUN_CHANGED, naming the setting that differs. */
export function requireSamePlan({ id, plan }: Run, given: Run['plan']): void {
  for (const key of new Set([...Object.keys(plan), ...Object.keys(given)])) {
    if (FREE.has(key) || plan[key] === given[key]) continue;
    const difference =
      plan[key] === undefined
        ? `without ${key}, not with ${given[key]}`
        : `with the ${key} ${plan[key]}, not ${given[key] ?? 'without one'}`;
    throw new SkeinError('RUN_CHANGED', `Run ${id} was started ${difference}.`);
  }
}

/** Learning rate with an optimiser that the training gives as a value. */
const RATE = 0.001;

export function rateOf({ rate, optimiser }: Settings): number {
  return rate ?? (typeof optimiser === 'string' ? OPTIMISERS[optimiser].rate : RATE);
}

/**
 * Settings of an optimiser that the chosen one does not take would change nothing.
 * @throws SkeinError USAGE.
 */
export function assertOptimiserTakes({ optimiser, momentum, weightDecay }: Settings): void {
  if (typeof optimiser !== 'string') {
    const [setting] = [
      ...(momentum === undefined ? [] : ['`momentum`']),
      ...(weightDecay === undefined ? [] : ['`weightDecay`']),
    ];
    if (setting === undefined) return;
    throw invalidSetting(
      `${setting} is for an optimiser that is given by its name; the training makes its own, ${optimiser.name}: set it there.`,
    );
  }
  if (momentum === undefined || OPTIMISERS[optimiser].takesMomentum) return;
  const taking = OPTIMISER_NAMES.filter((name) => OPTIMISERS[name].takesMomentum).join(' and ');
  throw invalidSetting(
    `\`momentum\` is for ${taking}, and the \`optimiser\` is ${optimiser}, which has none: choose one of those, or leave \`momentum\` out.`,
  );
}

/** @throws RangeError naming the option that is out of its range. */
export function optimiserOf({ optimiser, momentum, weightDecay }: Settings): Optimiser {
  if (typeof optimiser !== 'string') return optimiser;
  return OPTIMISERS[optimiser].make(defined({ momentum, weightDecay }));
}

/** @throws SkeinError USAGE when there are two bounds. */
export function clipOf({ clipNorm, clipValue }: Settings): Clipping | undefined {
  if (clipNorm !== undefined && clipValue !== undefined) {
    throw invalidSetting('Gradients are clipped by `clipNorm` or by `clipValue`, not by both.');
  }
  if (clipNorm !== undefined) return { norm: clipNorm };
  return clipValue === undefined ? undefined : { value: clipValue };
}

export function rowsPerStep({ batch, accumulate }: Settings): number {
  return batch * accumulate;
}

/** @param steps of the whole run. @throws RangeError naming the option that is out of its range. */
export function scheduleOf(settings: Settings, steps: number): Schedule {
  const { schedule, warmup } = settings;
  const rate = rateOf(settings);
  const left = Math.max(1, steps - warmup);
  const byName: Readonly<Record<ScheduleName, () => Schedule>> = {
    constant: () => constant(rate),
    cosine: () => cosine({ rate, steps: left }),
    step: () => stepDecay({ rate, every: Math.max(1, Math.ceil(left / 3)), factor: 0.1 }),
  };
  const main = byName[schedule]();
  return warmup === 0 ? main : warmUp(warmup, main);
}

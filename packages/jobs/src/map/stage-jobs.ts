/** The jobs of a map, as values. */
import type { NewJobInput } from '@skein/api';
import type { DataFormat, Piece } from '@skein/data/data-set';
import type { z } from 'zod';
import type { Builtin } from '../tasks/builtin.ts';
import type { TaskModule } from '../work.ts';
import { MAP_LABEL } from '../worker/labels.ts';
import type { MapInput, MapWork, Resources } from './map-input.ts';
import type { statement } from './statement-tasks.ts';

/**
 * Part of the input of each task, so that results are not taken that an earlier version has kept.
 * Raise it when the same tables give other rows.
 */
const EDITION = 8;

/** A statement over terabytes takes hours. */
const DAY_MS = 86_400_000;

/** The part that all jobs of a map have in common. */
export interface JobFrame extends Pick<MapInput, 'attempts' | 'requires'> {
  readonly resources: Resources;
}

/** A statement of a stage. */
export type StatementInput = Omit<z.input<typeof statement.input>, 'edition' | 'resources'>;

/** The idempotency key is the place in the map: a conductor that starts anew finds its jobs again. */
export function builtinJob(
  frame: JobFrame,
  [stage, index, count]: readonly [stage: string, index: number, count: number],
  { name: task, isKept = true }: Builtin,
  input: Readonly<Record<string, unknown>>,
): NewJobInput {
  const { resources, requires } = frame;
  const given = { ...input, resources, edition: EDITION };
  return {
    ...frameOf(frame, stage, index, count),
    cache: isKept,
    requires: [MAP_LABEL, ...requires],
    work: { ...taskOf(task, { offered: true }, given), limits: { wallMs: DAY_MS } },
  };
}

/** A command or a task over each shard. */
export function shardJobs(
  frame: JobFrame,
  work: Exclude<MapWork, { kind: 'sql' }>,
  shards: readonly Piece[],
  [from, to]: readonly [from: DataFormat, to: DataFormat],
): NewJobInput[] {
  return shards.map(({ digest }, index) => {
    const own = frameOf(frame, 'map', index, shards.length);
    if (work.kind === 'command') {
      return { ...own, work: commandOf(work, digest, `in.${from}`, `out.${to}`) };
    }
    const given = { digest, format: from };
    if (work.module !== undefined) {
      return { ...own, work: taskOf(work.task, { path: work.module }, given) };
    }
    const offered = taskOf(work.task, { offered: true }, given);
    return { ...own, requires: [`task:${work.task}`], work: offered };
  });
}

function frameOf(
  { resources, attempts }: JobFrame,
  stage: string,
  index: number,
  count: number,
): Omit<NewJobInput, 'work'> {
  return {
    name: count === 1 ? stage : `${stage} ${index + 1}/${count}`,
    resources,
    retry: { maxAttempts: attempts, backoffMs: 1000, maxBackoffMs: 60_000 },
    cache: true,
    idempotencyKey: `${stage}/${index}`,
  };
}

function taskOf(task: string, module: TaskModule, input: unknown): NewJobInput['work'] {
  return { kind: 'task', task, module, input };
}

function commandOf(
  { argv, inputs, image, trusted, network }: Extract<MapWork, { kind: 'command' }>,
  digest: string,
  from: string,
  to: string,
): NewJobInput['work'] {
  return {
    kind: 'command',
    argv: argv.map((word) => word.replaceAll('{in}', from).replaceAll('{out}', to)),
    inputs: [{ path: from, digest }, ...inputs],
    outputs: [{ path: to }],
    trusted,
    network,
    ...(image === undefined ? {} : { image }),
  };
}

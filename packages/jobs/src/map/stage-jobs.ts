/** The jobs of a map, as values. */
import type { NewJobInput } from '@skein/api';
import { digestOf } from '@skein/api/canonical';
import type { DataFormat, Piece } from '@skein/data/data-set';
import type { z } from 'zod';
import type { Builtin } from '../tasks/builtin.ts';
import type { TaskModule } from '../work.ts';
import { FUNCTION_TASK } from './function/task-name.ts';
import type { Lines } from './function/json-lines.ts';
import { PYTHON_RUNNER } from './function/python-runner.ts';
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

export async function builtinJob(
  frame: JobFrame,
  [stage, index, count]: readonly [stage: string, index: number, count: number],
  { name: task, isKept = true }: Builtin,
  input: Readonly<Record<string, unknown>>,
): Promise<NewJobInput> {
  const { resources, requires } = frame;
  const given = { ...input, resources, edition: EDITION };
  const own = frameOf(frame, stage, index, count);
  return {
    ...own,
    // A conductor that starts anew finds its jobs again; with other workers it may have another plan, which needs others.
    idempotencyKey: `${own.idempotencyKey}/${await digestOf(given)}`,
    cache: isKept,
    requires: [MAP_LABEL, ...requires],
    work: { ...taskOf(task, { offered: true }, given), limits: { wallMs: DAY_MS } },
  };
}

/** Work on the shards as they are. */
export type ShardWork = Extract<MapWork, { kind: 'command' | 'task' }>;
export type FunctionWork = Extract<MapWork, { kind: 'function' }>;

/** A command or a task over each shard. */
export function shardJobs(
  frame: JobFrame,
  work: ShardWork,
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
): Omit<NewJobInput, 'work'> & { readonly idempotencyKey: string } {
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

/** A function over lines of a file of JSON lines. */
export function functionJob(
  frame: JobFrame,
  { code, name, options }: FunctionWork,
  { digest, from, to }: Piece & Lines,
  [index, count]: readonly [index: number, count: number],
): NewJobInput {
  const own = frameOf(frame, 'map', index, count);
  if ('python' in code) {
    const { python, ...guest } = code;
    const given = [
      python,
      name ?? '',
      '{in}',
      '{out}',
      `${from}`,
      `${to}`,
      JSON.stringify(options),
    ];
    const argv = ['python3', '-c', PYTHON_RUNNER, ...given];
    return { ...own, work: commandOf({ ...guest, argv }, digest, 'in.jsonl', 'out.jsonl') };
  }
  const input = { digest, from, to, name, options, ...('module' in code ? code : {}) };
  return {
    ...own,
    // The modules that it imports may have changed.
    cache: 'builtIn' in code,
    requires: [MAP_LABEL],
    work: taskOf(FUNCTION_TASK, { offered: true }, input),
  };
}

function commandOf(
  { argv, inputs, image, trusted, network }: Omit<Extract<MapWork, { kind: 'command' }>, 'kind'>,
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

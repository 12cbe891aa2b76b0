/** A job as a script returns it (`view` in `scripts/shared/job.lua`), made a `Job`. */
import type { Attempt, Cause, Job, JobSpec, JobState } from '../../contract.ts';

/** Id, the fields of the hash in a row, the spec. */
export type JobView = readonly [id: string, fields: readonly string[], spec: string];

/** A new job that waits for nothing: the caller knows the rest. */
export type ReadyView = readonly [id: string, now: string];

export function readyJob([id, now]: ReadyView, given: JobSpec & { readonly id?: string }): Job {
  const at = Number(now);
  return { ...given, id, state: 'ready', enqueuedAt: at, readyAt: at, attempts: [] };
}

type Fields = Readonly<Record<string, string | undefined>>;

const number = (value: string | undefined): number | undefined =>
  value === undefined ? undefined : Number(value);

/** `aN` is "token time worker", `eN` is "time outcome". */
function attemptOf(fields: Fields, index: number): Attempt {
  const [, token, startedAt, worker] = /^(\d+) (\d+) (.*)$/s.exec(fields[`a${index}`] ?? '') ?? [];
  const [, endedAt, outcome] = /^(\d+) (.*)$/.exec(fields[`e${index}`] ?? '') ?? [];
  const usage = fields[`u${index}`];
  return {
    number: index,
    token: Number(token),
    worker: worker ?? '',
    startedAt: Number(startedAt),
    endedAt: number(endedAt),
    outcome: outcome as Attempt['outcome'],
    message: fields[`m${index}`],
    usage: usage === undefined ? undefined : (JSON.parse(usage) as Attempt['usage']),
  };
}

export function jobOf([id, flat, json]: JobView): Job {
  const fields: Record<string, string> = {};
  for (let index = 0; index < flat.length; index += 2) {
    fields[flat[index] ?? ''] = flat[index + 1] ?? '';
  }
  const spec = JSON.parse(json) as JobSpec;
  const { par, prog, res } = fields;
  return {
    ...spec,
    ...(par === undefined ? {} : { parents: JSON.parse(par) as string[] }),
    id,
    state: fields['st'] as JobState,
    enqueuedAt: Number(fields['enq']),
    readyAt: number(fields['rdy']),
    startedAt: number(fields['sta']),
    endedAt: number(fields['fin']),
    attempts: Array.from({ length: Number(fields['n'] ?? 0) }, (_, index) =>
      attemptOf(fields, index + 1),
    ),
    cause: fields['cause'] as Cause | undefined,
    message: fields['msg'],
    progress: prog === undefined ? undefined : (JSON.parse(prog) as Job['progress']),
    result: res === undefined ? undefined : (JSON.parse(res) as Job['result']),
    cachedFrom: fields['from'],
    checkpoint: fields['cp'],
  };
}

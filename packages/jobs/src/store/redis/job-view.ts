/** A job as a script returns it (`view` in `scripts/shared/job.lua`), made a `Job`. */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import type { Attempt, Cause, Job, JobSpec, JobState } from '../../contract.ts';

/** The fields of the job and its spec, each an object as JSON. */
export type JobView = readonly [fields: string, spec: string];

/** In a folded list, with the group behind the job, or ''. */
export type ListedView = readonly [...JobView, behind?: string];

/** A new job that is ready: its id and the time; the caller holds the rest. */
export type ReadyView = string;

export function readyJob(view: ReadyView, given: JobSpec & { readonly id?: string }): Job {
  const space = view.lastIndexOf(' ');
  const at = Number(view.slice(space + 1));
  return {
    ...given,
    id: view.slice(0, space),
    state: 'ready',
    enqueuedAt: at,
    readyAt: at,
    attempts: [],
  };
}

type Fields = Readonly<Record<string, string | number | undefined>>;

const number = (value: string | number | undefined): number | undefined =>
  value === undefined ? undefined : Number(value);

/** `aN` is "token time worker", `eN` is "time outcome". */
function attemptOf(fields: Fields, index: number): Attempt {
  const text = (kind: string): string | undefined =>
    fields[`${kind}${index}`] as string | undefined;
  const [, token, startedAt, worker] = /^(\d+) (\d+) (.*)$/s.exec(text('a') ?? '') ?? [];
  const [, endedAt, outcome] = /^(\d+) (.*)$/.exec(text('e') ?? '') ?? [];
  const usage = text('u');
  return {
    number: index,
    token: Number(token),
    worker: worker ?? '',
    startedAt: Number(startedAt),
    endedAt: number(endedAt),
    outcome: outcome as Attempt['outcome'],
    message: text('m'),
    usage:
      usage === undefined ? undefined : (readJson(usage, JSON_BOUNDS.record) as Attempt['usage']),
  };
}

/** The fields that are read as they are. */
type Named = Readonly<
  Partial<Record<'par' | 'prog' | 'res' | 'st' | 'cause' | 'msg' | 'from' | 'cp' | 'id', string>>
>;

export function jobOf([json, specJson]: JobView): Job {
  const fields = readJson(json, JSON_BOUNDS.record) as Fields;
  const { id, st, par, prog, res, cause, msg, from, cp } = fields as Named;
  return {
    ...(readJson(specJson, JSON_BOUNDS.record) as JobSpec),
    ...(par === undefined ? {} : { parents: readJson(par, JSON_BOUNDS.record) as string[] }),
    id: id ?? '',
    state: st as JobState,
    enqueuedAt: Number(fields['enq']),
    readyAt: number(fields['rdy']),
    startedAt: number(fields['sta']),
    endedAt: number(fields['fin']),
    attempts: Array.from({ length: Number(fields['n'] ?? 0) }, (_, index) =>
      attemptOf(fields, index + 1),
    ),
    cause: cause as Cause | undefined,
    message: msg,
    progress:
      prog === undefined ? undefined : (readJson(prog, JSON_BOUNDS.record) as Job['progress']),
    result: res === undefined ? undefined : (readJson(res, JSON_BOUNDS.record) as Job['result']),
    cachedFrom: from,
    checkpoint: cp,
  };
}

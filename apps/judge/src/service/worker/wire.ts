/**
 * Messages of a worker to the service: live steps as lines of the job's log, and the whole
 * judgement as an artifact at the end.
 *
 * The log is best effort. Its lines are small, it is cut off at a bound, and a line that does not
 * parse is skipped; the verdict depends only on the artifact.
 */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { z } from 'zod';
import {
  GroupRecord,
  type JudgeEvent,
  type Judgement,
  JudgementRecord,
  TestRecord,
} from '../../judging/events.ts';

export const LiveEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('compiling'), language: z.string() }),
  z.object({ type: z.literal('compiled') }),
  z.object({
    type: z.literal('test-started'),
    name: z.string(),
    index: z.number(),
    total: z.number(),
  }),
  z.object({ type: z.literal('test'), index: z.number(), total: z.number(), result: TestRecord }),
  z.object({ type: z.literal('group'), result: GroupRecord }),
]);
export type LiveEvent = z.infer<typeof LiveEvent>;

/** Text of a live step, shortened; the artifact has all of it. */
const LIVE_TEXT = 500;
/** Below the log limit of a store, so that the log never ends in the middle of a line. */
const LIVE_BYTES = 3 * 2 ** 20;
const MARK = 'judge ';
export const MAX_COMPILE_OUTPUT = 64 * 1024;

/** Writes the live steps of one attempt, up to the bound. */
export function liveWriter(log: (line: string) => void): (event: JudgeEvent) => void {
  let left = LIVE_BYTES;
  return (event) => {
    const live = liveOf(event);
    if (live === undefined || left <= 0) return;
    const line = MARK + JSON.stringify(live);
    left -= Buffer.byteLength(line) + 1;
    if (left > 0) log(line);
  };
}

function liveOf(event: JudgeEvent): LiveEvent | undefined {
  switch (event.type) {
    case 'compiling':
    case 'test-started':
      return event;
    case 'compiled':
      return { type: 'compiled' };
    case 'group':
      return { type: 'group', result: GroupRecord.parse(event.result) };
    case 'test': {
      const { name, verdict, reason, usage, passes, score } = event.result;
      const result: TestRecord = { name, verdict, reason: cut(reason, LIVE_TEXT), usage, passes };
      if (score !== undefined) result.score = score;
      return { type: 'test', index: event.index, total: event.total, result };
    }
    case 'verdict':
      return undefined;
  }
}

/** @returns undefined for any other line of the log. */
export function parseLive(line: string): LiveEvent | undefined {
  if (!line.startsWith(MARK)) return undefined;
  try {
    return LiveEvent.safeParse(readJson(line.slice(MARK.length), JSON_BOUNDS.frame)).data;
  } catch {
    return undefined;
  }
}

export function judgementRecord(judgement: Judgement): JudgementRecord {
  const record = JudgementRecord.parse(judgement);
  return { ...record, compileOutput: cut(record.compileOutput, MAX_COMPILE_OUTPUT) };
}

function cut(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters)}…`;
}

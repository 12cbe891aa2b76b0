/**
 * How a command tells its progress: a line `::progress FRACTION MESSAGE` on stderr, with a fraction
 * from 0 to 1. Such lines are taken out of the log; everything else passes as it comes, a line that
 * has not ended yet too, unless it may still become a progress line.
 */
import type { Job } from '../contract.ts';

export type Progress = NonNullable<Job['progress']>;

export interface ProgressFilter {
  /** @returns what belongs in the log. */
  pass(chunk: Uint8Array): Uint8Array;
  /** The end of the stream. */
  flush(): Uint8Array;
}

const START = Buffer.from('::progress ');
/** A longer line is no progress. */
const MAX_LINE_BYTES = 1024;
const LINE = /^::progress +(\d*\.?\d+)(?: +(.*?))?\s*$/;
const NEWLINE = 0x0a;

export function createProgressFilter(report: (progress: Progress) => void): ProgressFilter {
  /** The beginning of a line that may still become a progress line. */
  let held = Buffer.alloc(0);
  /** Whether the bytes so far ended within a line that cannot be one. */
  let inside = false;

  return {
    pass(chunk) {
      let rest = held.byteLength === 0 ? Buffer.from(chunk) : Buffer.concat([held, chunk]);
      held = Buffer.alloc(0);
      const passed: Buffer[] = [];
      while (rest.byteLength > 0) {
        const end = rest.indexOf(NEWLINE) + 1;
        const line = end === 0 ? rest : rest.subarray(0, end);
        if (!inside && couldBeProgress(line)) {
          if (end === 0 && line.byteLength <= MAX_LINE_BYTES) {
            held = line;
            break;
          }
          const progress = end === 0 ? undefined : parse(line);
          if (progress === undefined) passed.push(line);
          else report(progress);
        } else {
          passed.push(line);
        }
        inside = end === 0;
        rest = rest.subarray(line.byteLength);
      }
      return passed.length === 1 ? passed[0]! : Buffer.concat(passed);
    },
    flush() {
      const progress = parse(held);
      if (progress === undefined) return held;
      report(progress);
      return Buffer.alloc(0);
    },
  };
}

function couldBeProgress(line: Buffer): boolean {
  const length = Math.min(line.byteLength, START.byteLength);
  return line.compare(START, 0, length, 0, length) === 0;
}

function parse(line: Buffer): Progress | undefined {
  if (line.byteLength > MAX_LINE_BYTES) return undefined;
  const [, fraction, message = ''] = LINE.exec(line.toString()) ?? [];
  if (fraction === undefined) return undefined;
  return { fraction: Math.min(1, Number(fraction)), message };
}

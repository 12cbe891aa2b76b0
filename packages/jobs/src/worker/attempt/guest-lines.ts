/**
 * The messages of a command to its worker, as lines on stderr: `::progress FRACTION MESSAGE`, with
 * a fraction from 0 to 1, and `::checkpoint`, when the files at its checkpoint path are complete.
 * These lines are removed from the log. Everything else passes as it arrives; an unfinished line is
 * held back only while it may still become a message.
 */
import type { Job } from '../../contract.ts';

export type Progress = NonNullable<Job['progress']>;

export interface GuestLines {
  /** @returns what belongs in the log. */
  pass(chunk: Uint8Array): Uint8Array;
  /** The end of the stream. */
  flush(): Uint8Array;
}

export interface GuestLinesOptions {
  readonly onProgress: (progress: Progress) => void;
  readonly onCheckpoint: () => void;
}

const STARTS = ['::progress ', '::checkpoint'].map((start) => Buffer.from(start));
/** A longer line is not a message. */
const MAX_LINE_BYTES = 1024;
const PROGRESS = /^::progress +(\d*\.?\d+)(?: +(.*?))?\s*$/;
const CHECKPOINT = /^::checkpoint\s*$/;
const NEWLINE = 0x0a;

export function readGuestLines({ onProgress, onCheckpoint }: GuestLinesOptions): GuestLines {
  /** The beginning of a line that may still become a message. */
  let held = Buffer.alloc(0);
  /** Whether the bytes so far ended within a line that cannot be a message. */
  let inside = false;

  /** @returns whether the line was a message. */
  function take(line: Buffer): boolean {
    if (line.byteLength > MAX_LINE_BYTES) return false;
    const text = line.toString();
    if (CHECKPOINT.test(text)) {
      onCheckpoint();
      return true;
    }
    const [, fraction, message = ''] = PROGRESS.exec(text) ?? [];
    if (fraction === undefined) return false;
    onProgress({ fraction: Math.min(1, Number(fraction)), message });
    return true;
  }

  return {
    pass(chunk) {
      let rest = held.byteLength === 0 ? Buffer.from(chunk) : Buffer.concat([held, chunk]);
      held = Buffer.alloc(0);
      const passed: Buffer[] = [];
      while (rest.byteLength > 0) {
        const end = rest.indexOf(NEWLINE) + 1;
        const line = end === 0 ? rest : rest.subarray(0, end);
        const ours = !inside && couldBeOurs(line);
        if (ours && end === 0 && line.byteLength <= MAX_LINE_BYTES) {
          held = line;
          break;
        }
        if (!ours || end === 0 || !take(line)) passed.push(line);
        inside = end === 0;
        rest = rest.subarray(line.byteLength);
      }
      return passed.length === 1 ? passed[0]! : Buffer.concat(passed);
    },
    flush() {
      return take(held) ? Buffer.alloc(0) : held;
    },
  };
}

function couldBeOurs(line: Buffer): boolean {
  return STARTS.some((start) => {
    const length = Math.min(line.byteLength, start.byteLength);
    return line.compare(start, 0, length, 0, length) === 0;
  });
}

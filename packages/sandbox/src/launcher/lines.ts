/**
 * Lines of a stream, one by one, as they arrive. For short streams of trusted programs: they are
 * not bounded.
 */
import type { Readable } from 'node:stream';

export interface Lines {
  /** Whether the stream has ended. */
  readonly ended: boolean;
  /** The next line without its end; undefined when the stream has ended. */
  next(): Promise<string | undefined>;
}

export function readLines(stream: Readable): Lines {
  const lines: string[] = [];
  let rest = '';
  let ended = false;
  let wake: (() => void) | undefined;
  const finish = (): void => {
    ended = true;
    wake?.();
  };
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
    if (parts.length > 0) wake?.();
  });
  stream.on('close', finish);
  stream.on('error', finish);
  return {
    get ended() {
      return ended;
    },
    async next() {
      while (lines.length === 0 && !ended) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return lines.shift();
    },
  };
}

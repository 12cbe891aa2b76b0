/** A target with every kind of fault, one per seed. */
import { bytesInput } from '../bytes.ts';
import type { Target } from '../target.ts';

export const FAULTS = [
  'fine',
  'refused',
  'error',
  'stray',
  'slow',
  'memory',
  'hang',
  'crash',
] as const;

const kept: unknown[] = [];

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

export function open(): Target {
  return {
    seeds: FAULTS.map((fault) => Buffer.from(fault)),
    structure: bytesInput(),
    refuses: (error) => error instanceof RangeError,
    bounds: { timeMs: 200, memoryBytes: 64 * 2 ** 20 },
    run(input) {
      switch (Buffer.from(input).toString()) {
        case 'refused':
          throw new RangeError('documented');
        case 'error':
          throw new TypeError('not documented');
        case 'stray':
          return new Promise<void>((resolve) => {
            setImmediate(() => {
              resolve();
              throw new Error('thrown in a later turn');
            });
          });
        case 'slow':
          for (const end = cpuMs() + 250; cpuMs() < end;);
          return;
        case 'memory':
          kept.push(Buffer.alloc(128 * 2 ** 20, 1));
          return;
        case 'hang':
          for (;;);
        case 'crash':
          process.abort();
      }
    },
  };
}

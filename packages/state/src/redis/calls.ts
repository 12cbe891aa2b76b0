/** Calls of the state's server-side functions: what each begins with, and its refusals as coded errors. */
import { randomBytes } from 'node:crypto';
import type { FunctionName } from './functions.ts';
import type { Connection } from './server/connection.ts';

export type Argument = string | number;

type Call = (name: FunctionName, ...args: readonly Argument[]) => Promise<unknown>;

export interface Calls {
  /** @throws SkeinError STORE_UNREACHABLE, STORAGE_FULL, STORE_REPLACED, and what the function refuses. */
  readonly run: Call;
  /** The same of a write that has to survive a power cut: resolves when it is on the server's disk. */
  readonly durable: Call;
  /** The same for functions that answer whatever the contents are. */
  readonly runOnAnyContents: Call;
}

/**
 * @param epoch of the contents that the caller has read, or '' before.
 * @param onDisk resolves when what was written before is on the server's disk.
 */
export function callsOver(
  connection: Connection<FunctionName>,
  clock: (() => number) | undefined,
  epoch: () => string,
  onDisk: () => Promise<void>,
): Calls {
  async function call(
    name: FunctionName,
    known: string,
    args: readonly Argument[],
  ): Promise<unknown> {
    const bytes = randomBytes(16);
    const id = bytes.toString('hex');
    const random = bytes.readUIntBE(0, 6);
    return connection.run(name, (again) => [
      clock?.() ?? '',
      id,
      again ? 1 : 0,
      random,
      known,
      ...args,
    ]);
  }
  const run: Call = (name, ...args) => call(name, epoch(), args);
  return {
    run,
    runOnAnyContents: (name, ...args) => call(name, '', args),
    async durable(name, ...args) {
      const answer = await run(name, ...args);
      await onDisk();
      return answer;
    },
  };
}

/** Splits at the first spaces; the rest is JSON, or a name, and may contain more of them. */
export function fieldsOf(row: string, count: number): string[] {
  const fields: string[] = [];
  let from = 0;
  while (fields.length < count - 1) {
    const space = row.indexOf(' ', from);
    fields.push(row.slice(from, space));
    from = space + 1;
  }
  return [...fields, row.slice(from)];
}

export const timestampOf = (ms: string | undefined): string => new Date(Number(ms)).toISOString();

/** Consecutive pairs of a flat list, as HGETALL returns them. */
export function pairsOf<A, B>(flat: readonly (A | B)[]): [A, B][] {
  const pairs: [A, B][] = [];
  for (let index = 0; index < flat.length; index += 2) {
    pairs.push([flat[index] as A, flat[index + 1] as B]);
  }
  return pairs;
}

/** Calls of the server-side functions of jobs: what each begins with. */
import type { Connection } from '@skein/state/redis';
import type { ScriptName } from './scripts.ts';

export type Argument = string | number | Buffer;

export interface JobCalls {
  /** @throws SkeinError STORE_UNREACHABLE, STORE_REPLACED, STORAGE_FULL. */
  readonly run: (name: ScriptName, ...args: readonly Argument[]) => Promise<unknown>;
  /** The same with arguments that depend on whether the call was sent before. */
  readonly runAgain: (
    name: ScriptName,
    args: (again: boolean) => readonly Argument[],
  ) => Promise<unknown>;
  /** The same with an answer whose strings are bytes. */
  readonly runBytes: JobCalls['run'];
}

/**
 * @param cursor returns the position of the state's change feed that this process has reached: a
 *   Redis with other or older contents refuses the call.
 */
export function jobCalls(
  connection: Connection<ScriptName>,
  clock: (() => number) | undefined,
  cursor: (() => string | undefined) | undefined,
): JobCalls {
  const opening = (): readonly Argument[] => [
    clock?.() ?? '',
    `${Math.floor(Math.random() * 2 ** 31)} ${cursor?.() ?? ''}`,
  ];
  return {
    run: async (name, ...args) => connection.run(name, () => [...opening(), ...args]),
    runAgain: async (name, args) => connection.run(name, (again) => [...opening(), ...args(again)]),
    runBytes: async (name, ...args) => connection.runBytes(name, [...opening(), ...args]),
  };
}

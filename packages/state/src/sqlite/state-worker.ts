/** The thread of the database: starts calls one at a time, in the order of arrival. */
import { serve } from '@skein/calls/serve';
import type { State } from '../contract.ts';
import { openLocalState } from './local-state.ts';

export interface StateCall {
  readonly method: keyof State;
  readonly args: readonly unknown[];
}

let state: State;

const calls = {
  open(path: string): void {
    state = openLocalState(path);
  },
  run({ method, args }: StateCall): Promise<unknown> {
    const run = state[method] as (...args: readonly unknown[]) => Promise<unknown>;
    return run(...args);
  },
};
export type StateCalls = typeof calls;
serve(calls);

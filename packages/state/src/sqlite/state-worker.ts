/** The thread of the database: starts calls one at a time, in the order of arrival. */
import { serve } from '@skein/calls/serve';
import type { StateStore } from '../store.ts';
import { openLocalState } from './local-state.ts';

export interface StateCall {
  readonly method: keyof StateStore;
  readonly args: readonly unknown[];
}

let state: StateStore;

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

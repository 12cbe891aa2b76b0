/**
 * State of judgings in progress, in memory: rebuilt from the log of the job when it is missing, and
 * dropped when the verdict is in the database.
 *
 * Listeners are called at each step; nothing is queued for them here.
 */
import type { GroupRecord, TestRecord } from '../../judging/events.ts';
import type { LiveEvent } from '../worker/wire.ts';

export interface LiveState {
  phase: 'waiting' | 'compiling' | 'running';
  /** The attempt of the job that the state is of; 0 before the first. */
  attempt: number;
  worker: string | undefined;
  /** Why it waits or was restarted, as text. */
  note: string | undefined;
  tests: (TestRecord | undefined)[];
  groups: GroupRecord[];
  /** Number of tests, when it is known. */
  total: number | undefined;
  /** Name of the running test. */
  current: string | undefined;
}

export type LiveMessage =
  /** A change other than a test result, or of the whole state. */
  | { readonly type: 'state'; readonly state: LiveState }
  | {
      readonly type: 'test';
      readonly index: number;
      readonly result: TestRecord;
      readonly total: number;
    }
  | {
      readonly type: 'test-started';
      readonly index: number;
      readonly name: string;
      readonly total: number;
    }
  | { readonly type: 'judged' };

export type LiveListener = (message: LiveMessage) => void;

export type Live = ReturnType<typeof createLive>;

/** Results beyond this number of tests are not kept; the artifact has all of them. */
const MOST_TESTS = 20_000;

export function createLive() {
  const states = new Map<number, LiveState>();
  const listeners = new Map<number, Set<LiveListener>>();

  const stateOf = (submission: number): LiveState => states.get(submission) ?? fresh(0);
  const notify = (submission: number, message: LiveMessage): void => {
    for (const listener of listeners.get(submission) ?? []) listener(message);
  };
  const change = (submission: number, by: (state: LiveState) => void): void => {
    const state = stateOf(submission);
    states.set(submission, state);
    by(state);
    notify(submission, { type: 'state', state });
  };

  return {
    stateOf,
    /** A new attempt of the job: discards the results of the earlier one. */
    begin(submission: number, attempt: number, worker: string | undefined, note?: string): void {
      states.set(submission, { ...fresh(attempt), worker, note });
      notify(submission, { type: 'state', state: stateOf(submission) });
    },
    note(submission: number, note: string | undefined): void {
      if (stateOf(submission).note === note) return;
      change(submission, (state) => {
        state.note = note;
      });
    },
    apply(submission: number, event: LiveEvent): void {
      switch (event.type) {
        case 'compiling':
          return change(submission, (state) => {
            state.phase = 'compiling';
          });
        case 'compiled':
          return change(submission, (state) => {
            state.phase = 'running';
          });
        case 'group':
          return change(submission, (state) => {
            state.groups.push(event.result);
          });
        case 'test-started':
        case 'test': {
          if (event.index >= MOST_TESTS) return;
          const state = stateOf(submission);
          states.set(submission, state);
          state.phase = 'running';
          state.total = event.total;
          if (event.type === 'test-started') state.current = event.name;
          else state.tests[event.index] = event.result;
          return notify(submission, event);
        }
      }
    },
    /** The verdict is in the database. */
    judged(submission: number): void {
      states.delete(submission);
      notify(submission, { type: 'judged' });
    },
    /** @returns stops listening. */
    listen(submission: number, listener: LiveListener): () => void {
      const those = listeners.get(submission) ?? new Set();
      listeners.set(submission, those);
      those.add(listener);
      return () => {
        those.delete(listener);
        if (those.size === 0) listeners.delete(submission);
      };
    },
  };
}

function fresh(attempt: number): LiveState {
  return {
    phase: 'waiting',
    attempt,
    worker: undefined,
    note: undefined,
    tests: [],
    groups: [],
    total: undefined,
    current: undefined,
  };
}

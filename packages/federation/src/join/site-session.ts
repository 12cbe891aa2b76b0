/** The state of the page: the worker's messages, folded into one value. */
import { Store } from '@skein/ui';
import type { FromWorker, ToWorker } from './worker-messages.ts';

type Received<T extends FromWorker['type']> = Extract<FromWorker, { type: T }>;

export interface SessionState {
  readonly plan?: Received<'plan'>;
  readonly rows?: Received<'rows'>;
  readonly training: boolean;
  readonly connected: boolean;
  /** Rounds that are done. */
  readonly round: number;
  /** The phase that was asked for last. */
  readonly phase: string;
  /** Whether the answer to it is stored at the coordinator. */
  readonly stored: boolean;
  /** Bytes that have left this browser. */
  readonly sentBytes: number;
  readonly status: string;
  readonly end?: Received<'end'>['end'];
  /** State of the site's own model; absent: it trains none. */
  readonly own?: OwnState;
  readonly error?: Received<'error'>;
}

export interface OwnState {
  readonly trained?: Received<'own'>;
  readonly problem: string;
  readonly isDone: boolean;
}

export const START: SessionState = {
  training: false,
  connected: false,
  round: 0,
  phase: '',
  stored: false,
  sentBytes: 0,
  status: '',
};

export function next(state: SessionState, message: FromWorker): SessionState {
  switch (message.type) {
    case 'plan':
      return { ...state, plan: message };
    case 'rows': {
      const { error: _, ...rest } = state;
      return { ...rest, rows: message };
    }
    case 'end':
      return { ...state, training: false, connected: false, end: message.end };
    case 'error':
      return { ...state, training: false, error: message };
    case 'event':
      return afterEvent(state, message.event);
    case 'own':
      return withOwn(state, { trained: message, problem: '' });
    case 'own-problem':
      return withOwn(state, { problem: message.message });
    case 'own-done':
      return withOwn(state, { isDone: true });
  }
}

/** The state with more of the site's own model, where it trains one. */
function withOwn(state: SessionState, more: Partial<OwnState>): SessionState {
  const { own } = state;
  return own === undefined ? state : { ...state, own: { ...own, ...more } };
}

function afterEvent(state: SessionState, event: Received<'event'>['event']): SessionState {
  switch (event.type) {
    case 'connected':
      return { ...state, connected: true };
    case 'lost':
      return { ...state, connected: false, status: event.reason };
    case 'task':
      return { ...state, phase: event.phase, round: event.round, stored: false };
    case 'stored':
      return { ...state, stored: event.round === state.round && event.phase === state.phase };
    case 'answered':
      return { ...state, sentBytes: state.sentBytes + event.bytes };
    case 'status':
      return { ...state, round: event.round, status: event.reason || event.status };
    case 'fault':
    case 'refused':
      return { ...state, status: event.message };
  }
}

export interface SiteSession {
  readonly state: Store<SessionState>;
  send(message: ToWorker): void;
}

/** The only script that this page may start, by its policy of trusted types. */
const WORKER = '/join/worker.js';

export function openSession(): SiteSession {
  const state = new Store<SessionState>(START);
  const worker = new Worker(trusted(WORKER), { type: 'module', name: 'site' });
  worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
    state.set(next(state.value, data));
  });
  worker.addEventListener('error', () => {
    const fix = 'Reload the page.';
    const message = 'The worker of the page has failed.';
    state.set(next(state.value, { type: 'error', code: 'INTERNAL', message, fix }));
  });
  return {
    state,
    send(message) {
      if (message.type === 'join') {
        const own = message.pull === undefined ? {} : { own: { problem: '', isDone: false } };
        state.set({ ...state.value, ...own, training: true });
      }
      worker.postMessage(message, []);
    },
  };
}

interface Policies {
  createPolicy(
    name: string,
    rules: { readonly createScriptURL: (url: string) => string },
  ): { createScriptURL(url: string): string };
}

function trusted(url: string): string {
  const { trustedTypes } = globalThis as { readonly trustedTypes?: Policies };
  return (
    trustedTypes
      ?.createPolicy('join', {
        createScriptURL(given) {
          if (given === WORKER) return given;
          throw new TypeError('The page starts no other script.');
        },
      })
      .createScriptURL(url) ?? url
  );
}

/** A route of a model with what this process knows of it: its circuit, its times, the places of its provider. */
import type { GenerativeRoute } from '@skein/api';
import type { SkeinError } from '@skein/api/errors';
import type { Provider } from '../contract.ts';
import {
  afterFailure,
  afterSending,
  afterSuccess,
  CLOSED,
  closedIn,
  type Circuit,
} from './circuit.ts';
import { createFirstTokenModel, type FirstTokenModel } from './first-token.ts';
import type { Places } from './places.ts';

export interface Route {
  readonly index: number;
  readonly settings: GenerativeRoute;
  readonly provider: Provider;
  readonly places: Places;
  readonly times: FirstTokenModel;
  /** Milliseconds until it may be asked; 0: now. */
  closedIn(now: number): number;
  sent(now: number): void;
  succeeded(now: number): void;
  failed(error: SkeinError, now: number, random: number): void;
  readonly circuit: Circuit;
}

/** What is known of a route: whether it is worth asking, and how fast it is. */
interface RouteState {
  circuit: Circuit;
  readonly times: FirstTokenModel;
}

/** @param key names the route: its model, its provider as declared, and the model there. */
export type RouteMemory = (key: string) => RouteState;

/** Routes that are remembered: a bound on memory, of which the oldest are forgotten. */
const REMEMBERED = 4096;

/** What is known of routes outlasts a gateway: a change of the declarations opens another one. */
export function createRouteMemory(): RouteMemory {
  const states = new Map<string, RouteState>();
  return (key) => {
    const state = states.get(key) ?? { circuit: CLOSED, times: createFirstTokenModel() };
    states.delete(key);
    states.set(key, state);
    for (const oldest of states.keys()) {
      if (states.size <= REMEMBERED) break;
      states.delete(oldest);
    }
    return state;
  };
}

export function createRoute(
  index: number,
  settings: GenerativeRoute,
  provider: Provider,
  places: Places,
  state: RouteState = { circuit: CLOSED, times: createFirstTokenModel() },
): Route {
  return {
    index,
    settings,
    provider,
    places,
    times: state.times,
    get circuit() {
      return state.circuit;
    },
    closedIn: (now) => closedIn(state.circuit, now),
    sent(now) {
      state.circuit = afterSending(state.circuit, now);
    },
    succeeded(now) {
      state.circuit = afterSuccess(state.circuit, now);
    },
    failed(error, now, random) {
      state.circuit = afterFailure(state.circuit, error, now, random);
    },
  };
}

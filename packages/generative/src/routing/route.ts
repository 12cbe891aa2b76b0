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

export function createRoute(
  index: number,
  settings: GenerativeRoute,
  provider: Provider,
  places: Places,
): Route {
  let circuit = CLOSED;
  return {
    index,
    settings,
    provider,
    places,
    times: createFirstTokenModel(),
    get circuit() {
      return circuit;
    },
    closedIn: (now) => closedIn(circuit, now),
    sent(now) {
      circuit = afterSending(circuit, now);
    },
    succeeded(now) {
      circuit = afterSuccess(circuit, now);
    },
    failed(error, now, random) {
      circuit = afterFailure(circuit, error, now, random);
    },
  };
}

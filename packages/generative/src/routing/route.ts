/** A route of a model with what this process knows of it: its circuits and quotas, its times, the places of its provider. */
import type { GenerativeRoute } from '@skein/api';
import type { ErrorCode, SkeinError } from '@skein/api/errors';
import type { Provider } from '../contract.ts';
import { faultOf } from '../wire/upstream-error.ts';
import { afterFailure, afterSending, type Circuit, CLOSED, closedIn } from './circuit.ts';
import type { FirstTokenModel } from './first-token.ts';
import type { Places } from './places.ts';
import { type Quota, quotaOf, quotasOf } from './quotas.ts';
import { createRouteMemory, type KnownRoute } from './route-memory.ts';

/** Why a route is not asked. */
export interface ClosedBy {
  readonly code: ErrorCode;
  /** Whether every model at the provider is away for it, or this one. */
  readonly scope: 'provider' | 'model';
}

export interface Route {
  readonly index: number;
  readonly settings: GenerativeRoute;
  readonly provider: Provider;
  readonly places: Places;
  readonly times: FirstTokenModel;
  /** Milliseconds until it may be asked; 0: now. */
  closedIn(now: number): number;
  /** What lasts longest of it; undefined: it may be asked. */
  closedBy(now: number): ClosedBy | undefined;
  /** Spent ones that keep it away. */
  quotas(now: number): readonly Quota[];
  /** One after the other, of the route and of its backend. */
  readonly failures: number;
  sent(now: number): void;
  succeeded(): void;
  failed(error: SkeinError, now: number, random: number): void;
}

export function createRoute(
  index: number,
  settings: GenerativeRoute,
  provider: Provider,
  places: Places,
  { backend, state }: KnownRoute = createRouteMemory().routeOf('', '', provider.name),
): Route {
  const quotas = (now: number): readonly Quota[] => quotasOf(backend.quotas, settings.model, now);

  function closings(now: number): readonly (ClosedBy & { readonly inMs: number })[] {
    const of = (scope: ClosedBy['scope'], circuit: Circuit) => {
      const { code = 'UPSTREAM_FAILED' } = circuit;
      return { scope, code, inMs: closedIn(circuit, now) };
    };
    return [
      of('provider', backend.circuit),
      of('model', state.circuit),
      ...quotas(now).map(({ model, until }) => ({
        scope: model === undefined ? ('provider' as const) : ('model' as const),
        code: 'UPSTREAM_QUOTA' as const,
        inMs: until - now,
      })),
    ];
  }

  return {
    index,
    settings,
    provider,
    places,
    times: state.times,
    quotas,
    get failures() {
      return Math.max(state.circuit.failures, backend.circuit.failures);
    },
    closedIn(now) {
      const [quota] = quotas(now);
      return Math.max(
        closedIn(backend.circuit, now),
        closedIn(state.circuit, now),
        quota === undefined ? 0 : quota.until - now,
      );
    },
    closedBy(now) {
      const [longest] = closings(now).toSorted((a, b) => b.inMs - a.inMs);
      if (longest === undefined || longest.inMs === 0) return undefined;
      const { code, scope } = longest;
      return { code, scope };
    },
    sent(now) {
      state.circuit = afterSending(state.circuit, now);
      backend.circuit = afterSending(backend.circuit, now);
    },
    succeeded() {
      state.circuit = CLOSED;
      backend.circuit = CLOSED;
    },
    failed(error, now, random) {
      const fault = faultOf(error);
      const quota = quotaOf(error, fault, settings.model, now);
      if (quota === undefined && isOfBackend(error)) {
        backend.circuit = afterFailure(backend.circuit, error, now, random);
        return;
      }
      // It answers, whatever it says of the model.
      if (fault?.status !== undefined) backend.circuit = CLOSED;
      if (quota !== undefined) backend.spend(quota, now);
      else state.circuit = afterFailure(state.circuit, error, now, random);
    },
  };
}

const isOfBackend = (error: SkeinError): boolean =>
  error.code === 'UPSTREAM_UNREACHABLE' || faultOf(error)?.isOfBackend === true;

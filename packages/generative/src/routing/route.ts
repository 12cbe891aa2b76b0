/** A route of a model with its state in this process: its circuits and quotas, its times, the places of its provider. */
import type { LanguageRoute } from '@skein/api';
import type { SkeinError } from '@skein/api/errors';
import type { Provider } from '../contract.ts';
import { faultOf } from '../wire/upstream-error.ts';
import { closedIn, type ClosedBy } from './circuit.ts';
import type { FirstTokenModel } from './first-token.ts';
import type { Places } from './places.ts';
import { type Quota, quotaOf, quotasOf } from './quotas.ts';
import { createRouteMemory, type KnownRoute } from './route-memory.ts';
import {
  afterFailureFor,
  afterSendingFor,
  ALL_CLOSED,
  closedInFor,
  type SharedCircuit,
} from './shared-circuit.ts';

export interface Closed {
  readonly by: ClosedBy;
  readonly inMs: number;
}

export interface Route {
  readonly index: number;
  readonly settings: LanguageRoute;
  readonly provider: Provider;
  readonly places: Places;
  readonly times: FirstTokenModel;
  /** Milliseconds until the tenant may ask it; 0: now. */
  closedIn(now: number, tenant: string): number;
  /** The closing that lasts longest, for all tenants or else for some; undefined: all of them may ask it. */
  closed(now: number): Closed | undefined;
  /** Spent ones that keep it away. */
  quotas(now: number): readonly Quota[];
  /** One after the other, of the route and of its backend. */
  readonly failures: number;
  sent(now: number, tenant: string): void;
  succeeded(): void;
  failed(error: SkeinError, now: number, random: number, tenant: string): void;
}

export function createRoute(
  index: number,
  settings: LanguageRoute,
  provider: Provider,
  places: Places,
  { backend, state }: KnownRoute = createRouteMemory().routeOf('', '', provider.name),
): Route {
  const quotas = (now: number): readonly Quota[] => quotasOf(backend.quotas, settings.model, now);

  /** A circuit's closing: for all tenants, where it is open for all, or else for those that have failed. */
  function closingOf(
    scope: ClosedBy['scope'],
    { all, tenants }: SharedCircuit,
    now: number,
  ): Closed {
    const inMs = closedIn(all, now);
    const { code = 'PROVIDER_FAILED' } = all;
    if (inMs > 0) return { by: { scope, code }, inMs };
    const open = [...tenants.values()]
      .map((each) => ({ ...each, inMs: closedIn(each, now) }))
      .filter((each) => each.inMs > 0)
      .toSorted(longestFirst);
    const [longest] = open;
    if (longest === undefined) return { by: { scope, code }, inMs };
    const by = { scope, code: longest.code ?? code, tenants: open.length };
    return { by, inMs: longest.inMs };
  }

  function closings(now: number): readonly Closed[] {
    return [
      closingOf('provider', backend.circuit, now),
      closingOf('model', state.circuit, now),
      ...quotas(now).map(({ model, until }): Closed => {
        const scope = model === undefined ? 'provider' : 'model';
        return { by: { scope, code: 'PROVIDER_QUOTA' }, inMs: until - now };
      }),
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
      return Math.max(failuresOf(state.circuit), failuresOf(backend.circuit));
    },
    closedIn(now, tenant) {
      const [quota] = quotas(now);
      return Math.max(
        closedInFor(backend.circuit, tenant, now),
        closedInFor(state.circuit, tenant, now),
        quota === undefined ? 0 : quota.until - now,
      );
    },
    closed(now) {
      const open = closings(now).filter(({ inMs }) => inMs > 0);
      const forAll = open.filter(({ by }) => by.tenants === undefined);
      return (forAll.length > 0 ? forAll : open).toSorted(longestFirst)[0];
    },
    sent(now, tenant) {
      state.circuit = afterSendingFor(state.circuit, tenant, now);
      backend.circuit = afterSendingFor(backend.circuit, tenant, now);
    },
    succeeded() {
      state.circuit = ALL_CLOSED;
      backend.circuit = ALL_CLOSED;
    },
    failed(error, now, random, tenant) {
      const fault = faultOf(error);
      const quota = quotaOf(error, fault, settings.model, now);
      if (quota === undefined && isOfBackend(error)) {
        const isForAll = fault?.isOfBackend === true;
        backend.circuit = afterFailureFor(backend.circuit, tenant, error, now, random, isForAll);
        return;
      }
      // The backend answers, whatever its answer about the model.
      if (fault?.status !== undefined) backend.circuit = ALL_CLOSED;
      if (quota !== undefined) backend.spend(quota, now);
      else {
        const isOfKey = fault?.isOfKey === true;
        state.circuit = afterFailureFor(state.circuit, tenant, error, now, random, isOfKey);
      }
    },
  };
}

const longestFirst = (a: { readonly inMs: number }, b: { readonly inMs: number }): number =>
  b.inMs - a.inMs;

const failuresOf = ({ all, tenants }: SharedCircuit): number =>
  Math.max(all.failures, ...[...tenants.values()].map(({ failures }) => failures));

const isOfBackend = (error: SkeinError): boolean =>
  error.code === 'PROVIDER_UNREACHABLE' || faultOf(error)?.isOfBackend === true;

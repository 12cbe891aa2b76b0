/**
 * The state of routes and their backends. It outlasts a gateway: a change of the declarations
 * opens another one.
 *
 * A backend is an upstream and the credential for it, whatever the names of the providers that
 * declare the two: they share its circuit and its quotas. Lasting quotas are given to a `keeper`,
 * and read back from its store.
 */
import type { Instant } from '@skein/serving';
import { KEPT_QUOTA_MS } from '../tuning.ts';
import { createFirstTokenModel, type FirstTokenModel } from './first-token.ts';
import { isOpen, isSame, type Quota, withQuota } from './quotas.ts';
import { ALL_CLOSED, type SharedCircuit } from './shared-circuit.ts';

interface HeldQuota extends Quota {
  /** When it was in the keeper's hands; absent: it is not yet, or need not be. */
  readonly keptAt?: Instant;
}

export interface BackendState {
  circuit: SharedCircuit;
  readonly quotas: readonly Quota[];
  spend(quota: Quota, now: Instant): void;
}

/** Whether a route is worth asking, and how fast it is. */
export interface RouteState {
  circuit: SharedCircuit;
  readonly times: FirstTokenModel;
}

export interface KnownRoute {
  readonly backend: BackendState;
  readonly state: RouteState;
}

interface Backend extends BackendState {
  readonly key: string;
  readonly providers: Set<string>;
  quotas: HeldQuota[];
}

/** A quota of a backend that stays spent for some time. */
export interface SpentQuota extends Quota {
  readonly backend: string;
  /** Names of the providers that use the backend. */
  readonly providers: readonly string[];
}

export interface RouteMemory {
  /**
   * @param key names the route: its model, its provider as declared, and the model there.
   * @param backend its name, as `backendOf` makes it.
   */
  routeOf(key: string, backend: string, provider: string): KnownRoute;
  /** Quotas that are to be kept, and are not yet. */
  unkept(now: Instant): SpentQuota[];
  kept(quota: SpentQuota, now: Instant): void;
  /** Takes over what is kept, as it was read at `readAt`: what was kept before and is gone is closed. */
  follow(kept: readonly SpentQuota[], readAt: Instant): void;
  /** Closes the open circuits of a provider: its operator has reported that it works again. */
  drop(provider: string): void;
}

/** Routes and backends that are remembered: a bound on memory; the oldest are dropped. */
const REMEMBERED = 4096;

/** @param keep called at once with a quota that is to be kept. */
export function createRouteMemory(keep: (quota: SpentQuota) => void = () => {}): RouteMemory {
  const routes = new Map<string, RouteState & { readonly provider: string }>();
  const backends = new Map<string, Backend>();

  function createBackend(key: string): Backend {
    const backend: Backend = {
      key,
      providers: new Set(),
      circuit: ALL_CLOSED,
      quotas: [],
      spend(quota, now) {
        backend.quotas = withQuota(backend.quotas, quota, now);
        if (lasts(quota, now)) keep(spentOf(backend, quota));
      },
    };
    return backend;
  }
  const backendOf = (key: string): Backend => remembered(backends, key, () => createBackend(key));

  return {
    routeOf(key, backendKey, provider) {
      const backend = backendOf(backendKey);
      backend.providers.add(provider);
      const state = remembered(routes, key, () => ({
        provider,
        circuit: ALL_CLOSED,
        times: createFirstTokenModel(),
      }));
      return { backend, state };
    },
    unkept: (now) =>
      [...backends.values()].flatMap((backend) =>
        backend.quotas
          .filter((each) => each.keptAt === undefined && lasts(each, now))
          .map((each) => spentOf(backend, each)),
      ),
    kept(quota, now) {
      const backend = backendOf(quota.backend);
      backend.quotas = backend.quotas.map((each) =>
        isSame(each, quota) && each.until === quota.until ? { ...each, keptAt: now } : each,
      );
    },
    follow(kept, readAt) {
      for (const backend of backends.values()) {
        backend.quotas = backend.quotas.filter(({ keptAt = Infinity }) => keptAt >= readAt);
      }
      for (const { backend: key, providers, ...quota } of kept) {
        const backend = backendOf(key);
        for (const provider of providers) backend.providers.add(provider);
        const isNewer = backend.quotas.some((each) => isSame(each, quota));
        if (isNewer || !isOpen(quota, readAt)) continue;
        backend.quotas = withQuota(backend.quotas, { ...quota, keptAt: readAt - 1 }, readAt);
      }
    },
    drop(provider) {
      for (const backend of backends.values()) {
        if (!backend.providers.has(provider)) continue;
        backend.circuit = ALL_CLOSED;
        backend.quotas = [];
      }
      for (const state of routes.values()) {
        if (state.provider === provider) state.circuit = ALL_CLOSED;
      }
    },
  };
}

const lasts = ({ until }: Quota, now: Instant): boolean => until - now >= KEPT_QUOTA_MS;

const spentOf = ({ key, providers }: Backend, { id, model, until }: Quota): SpentQuota => ({
  backend: key,
  providers: [...providers],
  id,
  model,
  until,
});

/** Moves the value to the end of those that are remembered. */
function remembered<Value>(all: Map<string, Value>, key: string, create: () => Value): Value {
  const value = all.get(key) ?? create();
  all.delete(key);
  all.set(key, value);
  for (const oldest of all.keys()) {
    if (all.size <= REMEMBERED) break;
    all.delete(oldest);
  }
  return value;
}

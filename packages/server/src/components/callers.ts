/** The access of callers to a node, and the budgets that tenants share. */
import type { SharedBudget } from '@skein/api/shared-budget';
import {
  bodyBudget,
  countedBytes,
  DEFAULT_LIMITS,
  defaultBodyBudget,
  eventStreamBudget,
  MAX_EVENT_STREAMS,
} from '@skein/http';
import type { State } from '@skein/state';
import { createAccess, type AccessMode } from '../access/access.ts';
import type { Keys } from '../access/contract.ts';
import { accessModeFor } from '../access/exposure.ts';
import { admitGivenKey } from '../access/keys/given-key.ts';
import { openKeyRing } from '../access/keys/key-ring.ts';
import { leaseLimits } from '../access/limits/limit-shares.ts';
import { requestBudget, shareRequests } from '../access/limits/request-shares.ts';
import { type FaceAccess, recordRefusedLogins } from '../access/refused-logins.ts';
import { grpcBudgets, GRPC_LIMITS, type GrpcBudgets } from '../gateway/grpc/limits.ts';
import type { Opening } from './component.ts';
import type { SharedState } from './shared-state.ts';

type Access = Awaited<ReturnType<typeof createAccess>>;

export interface Callers extends Pick<Access, 'shareOf' | 'weightOf'> {
  readonly mode: AccessMode;
  readonly keys: Keys;
  /** Refused logins are recorded. */
  readonly access: FaceAccess;
  /** The largest sum of all bodies in flight. */
  readonly bodies: SharedBudget;
  readonly eventStreams: SharedBudget;
  readonly rpcs: GrpcBudgets;
  /** In flight over HTTP. */
  readonly requests: SharedBudget;
}

/** @throws SkeinError KEYS_REQUIRED, USAGE (the given key). */
export async function openCallers(
  opening: Opening,
  state: State,
  shared: SharedState | undefined,
): Promise<Callers> {
  const { options, logger, lifecycle, clock } = opening;
  for (const key of options.givenKeys ?? []) await admitGivenKey(state, key);
  const stored = await (await openKeyRing(state)).list();
  const mode = accessModeFor([options.host], options.access === 'required', stored, Date.now());
  const access = await createAccess({ state, mode, clock, doubt: shared?.doubt });
  const { keys, shareOf, weightOf } = access;
  // Retries the revocations that could not be written.
  lifecycle.open('keys', () => keys.close());
  if (shared !== undefined) followFleet(opening, shared, access);
  const logins = recordRefusedLogins({ access, keys, state, logger });
  lifecycle.open('logins', () => logins.close());
  const { maxConnections = DEFAULT_LIMITS.maxConnections } = options;
  const requests = requestBudget(maxConnections, shareOf);
  const maxBytes = options.maxBodiesInFlightBytes ?? defaultBodyBudget(options.maxBodyBytes);
  return {
    mode,
    keys,
    shareOf,
    weightOf,
    // Without keys there is one tenant, whose connections give way to each other.
    access: mode === 'open' ? logins : shareRequests(logins, requests),
    requests,
    bodies: bodyBudget(countedBytes(maxBytes, options.maxBodyBytes), shareOf),
    eventStreams: eventStreamBudget(MAX_EVENT_STREAMS, shareOf),
    rpcs: grpcBudgets(GRPC_LIMITS, shareOf),
  };
}

/** Keys and revocations of every node hold here, and the limits of a key hold over all nodes. */
function followFleet({ lifecycle, clock }: Opening, shared: SharedState, access: Access): void {
  const { keys, inFlight } = access;
  const { holder: member, nodes } = shared;
  const limits = leaseLimits({ shares: shared.state.shares, member, nodes, keys, inFlight, clock });
  const ends = [
    shared.onKeys((stored) => {
      keys.follow(stored);
      limits.divide();
    }),
    shared.onCurrent(() => keys.writeRevocations()),
  ];
  lifecycle.open('limits', () => {
    for (const end of ends) end();
    limits.close();
  });
}

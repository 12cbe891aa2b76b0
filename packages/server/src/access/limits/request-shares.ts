/**
 * Requests in flight over HTTP, which tenants share: each keeps its connection, and a node keeps a bounded number of
 * them. Without shares a tenant of slow requests would hold every connection, and no other caller, no probe and no
 * operator that revokes its key could connect.
 */
import type { Socket } from 'node:net';
import { SkeinError } from '@skein/api';
import { type BudgetHold, SharedBudget, type ShareOf } from '@skein/api/shared-budget';
import type { Peer } from '@skein/http';
import type { Caller, Scope } from '../contract.ts';
import type { FaceAccess } from '../refused-logins.ts';

/** Some requests have ended by then. */
const RETRY_MS = 1000;

/** @param max as many as there are connections. */
export function requestBudget(max: number, shareOf: ShareOf): SharedBudget {
  return new SharedBudget({
    name: 'http_requests',
    unit: 'count',
    max,
    shareOf,
    refuse: ({ heldByTenant, tenantLimit, held }) =>
      new SkeinError(
        'QUOTA_EXCEEDED',
        `${heldByTenant} requests of this tenant are in flight over HTTP, and it may have ${tenantLimit} now; the node has ${held} of ${max}.`,
        { retryAfterMs: RETRY_MS },
      ),
  });
}

/** Counts each authorised request until its answer has been sent. Requests of operators are not counted: they must come through. */
export function shareRequests(access: FaceAccess, budget: SharedBudget): FaceAccess {
  /** Requests that wait behind another answer of their connection: a client may send many of them over one. */
  const waiting = new WeakMap<Socket, Set<BudgetHold>>();

  function waitingOn(socket: Socket): Set<BudgetHold> {
    let holds = waiting.get(socket);
    if (holds === undefined) {
      const made = new Set<BudgetHold>();
      socket.once('close', () => made.forEach((hold) => hold.release()));
      waiting.set(socket, (holds = made));
    }
    return holds;
  }

  function count(caller: Caller, scope: Scope, from: Peer | undefined): Caller {
    if (scope === 'admin' || from === undefined || 'getPeer' in from) return caller;
    const { request, response } = from;
    // Its end has been announced already.
    if (response.destroyed) return caller;
    const hold = budget.hold(caller.tenant);
    hold.take(1);
    // A waiting request has no socket yet, and is not notified when its connection closes.
    const others = response.socket === null ? waitingOn(request.socket).add(hold) : undefined;
    response.once('close', () => {
      hold.release();
      others?.delete(hold);
    });
    return caller;
  }
  const unrecorded = access.unrecorded ?? access;
  return {
    ...access,
    authorize: (authorization, scope, from) =>
      count(access.authorize(authorization, scope, from), scope, from),
    unrecorded: {
      authorize: (authorization, scope, from) =>
        count(unrecorded.authorize(authorization, scope, from), scope, from),
    },
  };
}

/**
 * The state of a fleet as the parts of a node use it: a store that may be away, or that may not be
 * written to. A call then fails at once with the reason, and does not wait for the store.
 *
 * A node that adopts a store opens it again. What was leased before has ended with the connection:
 * its holder acquires it again.
 */
import type { Records, State } from '../contract.ts';
import { RECORD_METHODS } from '../record-methods.ts';

export interface Guard {
  /** @throws SkeinError when the store is away. */
  readonly reachable: () => State;
  /** @throws SkeinError when the store is away or may not be written to. */
  readonly writable: () => State;
}

export function guardedState({ reachable, writable }: Guard): Omit<State, 'close'> {
  const methods = Object.entries(RECORD_METHODS).map(([name, kind]) => {
    const method = name as keyof Records;
    const store = kind === 'write' ? writable : reachable;
    return [
      method,
      async (...args: readonly unknown[]) =>
        (store()[method] as (...args: readonly unknown[]) => unknown)(...args),
    ];
  });
  return {
    ...(Object.fromEntries(methods) as unknown as Records),
    position: async () => reachable().position(),
    changes: (after, signal) => reachable().changes(after, signal),
    members: {
      async join(...args) {
        const store = reachable();
        const own = await store.members.join(...args);
        return {
          ...own,
          renew: async (info) => reachable() === store && own.renew(info),
          leave: async () => void (reachable() === store && (await own.leave())),
        };
      },
      list: async () => reachable().members.list(),
      schema: async () => reachable().members.schema(),
      finalise: async () => writable().members.finalise(),
    },
    leases: {
      async acquire(...args) {
        const store = writable();
        const lease = await store.leases.acquire(...args);
        return (
          lease && {
            ...lease,
            renew: async () => reachable() === store && lease.renew(),
            release: async () => void (reachable() === store && (await lease.release())),
          }
        );
      },
      holder: async (name) => reachable().leases.holder(name),
    },
    shares: { renew: async (request) => reachable().shares.renew(request) },
    budgets: {
      takeBudget: async (block) => writable().budgets.takeBudget(block),
      giveBackBudget: async (...args) => writable().budgets.giveBackBudget(...args),
      takenBudget: async (budget) => reachable().budgets.takenBudget(budget),
    },
    responses: {
      putResponse: async (...args) => writable().responses.putResponse(...args),
      responseChain: async (...args) => reachable().responses.responseChain(...args),
      removeResponse: async (...args) => writable().responses.removeResponse(...args),
      removeResponses: async () => writable().responses.removeResponses(),
    },
    secrets: { secret: async (...args) => writable().secrets.secret(...args) },
  };
}

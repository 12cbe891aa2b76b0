/**
 * Responses that a node keeps for its callers, where the operator has declared bounds for them. Each
 * belongs to the key that has asked, within its tenant: under no other one can it be read.
 */
import type { StoredResponsesPolicy } from '@skein/api';
import type { GatewayLogger } from '@skein/http';
import type { Responses, StoredResponse } from '@skein/state';
import type { Caller } from '../access/contract.ts';

export interface KeptResponses {
  /**
   * The response and those that it continues, newest first; empty: there is none.
   * @throws SkeinError STORE_UNREACHABLE.
   */
  chain(id: string): Promise<readonly StoredResponse[]>;
  /** @returns whether it is stored: not when it is too large, or the store is away or full. */
  keep(response: StoredResponse): Promise<boolean>;
  /** @returns false when there was none. @throws SkeinError STORE_UNREACHABLE. */
  remove(id: string): Promise<boolean>;
}

export interface KeptResponsesOptions {
  readonly responses: Responses;
  /** Undefined: nothing is kept any more. */
  readonly policy: () => StoredResponsesPolicy | undefined;
  readonly logger: GatewayLogger;
}

export function keptResponses(
  { tenant, actor }: Pick<Caller, 'tenant' | 'actor'>,
  { responses, policy, logger }: KeptResponsesOptions,
): KeptResponses {
  const owner = JSON.stringify([tenant, actor]);
  return {
    chain: (id) => responses.responseChain(owner, id),
    async keep(response) {
      const bounds = policy();
      if (bounds === undefined) return false;
      const { count, bytes, ageMs } = bounds;
      const endsAt = Date.now() + ageMs;
      try {
        return await responses.putResponse(owner, response, { count, bytes, endsAt });
      } catch (error) {
        // The answer is paid for: its caller gets it, and reads in it that it is not stored.
        logger.warn({ err: error }, 'A response could not be stored.');
        return false;
      }
    },
    remove: (id) => responses.removeResponse(owner, id),
  };
}

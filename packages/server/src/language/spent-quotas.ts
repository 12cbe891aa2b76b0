/**
 * Spent quotas of providers that last, such as a day's, as records of the state: a node that
 * restarts does not ask again before the reset, and the other members of a fleet with the same key
 * learn of it. They are declarations of a kind of their own.
 *
 * A record counts until its quota is reset, or until the operator declares one of its providers anew.
 * While the store is away, a quota is known to this node alone, and written down when it answers.
 */
import { SpentQuotaRecord } from '@skein/api';
import type { RouteMemory, SpentQuota } from '@skein/generative';
import type { GatewayLogger } from '@skein/http';
import type { DeclarationRecord } from '@skein/state';
import type { DeclarationState } from './declarations.ts';

const QUOTA = 'language-quota';

export interface SpentQuotas {
  /** Writes it down; a store that is away does not fail the request. */
  keep(quota: SpentQuota): Promise<void>;
  /**
   * Updates the memory from the records, writes down what they lack, and removes the ones that are over.
   *
   * @param readAt when the records were asked for.
   * @param declaredAt of each provider: when it was declared last.
   */
  follow(
    records: readonly DeclarationRecord[],
    readAt: number,
    declaredAt: ReadonlyMap<string, string>,
  ): void;
}

export function createSpentQuotas(
  state: Pick<DeclarationState, 'putDeclaration' | 'removeDeclaration'>,
  memory: () => RouteMemory | undefined,
  logger: GatewayLogger,
): SpentQuotas {
  /** Being written. */
  const writing = new Set<string>();

  async function keep(quota: SpentQuota): Promise<void> {
    const { backend, providers, id, model, until } = quota;
    const name = [backend, id, ...(model === undefined ? [] : [model])].join(' ');
    if (writing.has(name)) return;
    writing.add(name);
    const now = Date.now();
    const resetsAt = Math.round(now + until - performance.now());
    try {
      await state.putDeclaration({
        kind: QUOTA,
        name,
        // The form of JSON, without a model that is undefined.
        value: { backend, providers, id, ...(model === undefined ? {} : { model }), resetsAt },
        updatedAt: new Date(now).toISOString(),
      });
      memory()?.kept(quota, performance.now());
    } catch (error) {
      logger.warn({ err: error, quota: id }, 'A spent quota could not be written down.');
    } finally {
      writing.delete(name);
    }
  }

  return {
    keep,
    follow(records, readAt, declaredAt) {
      const now = Date.now();
      const spent: SpentQuota[] = [];
      for (const { kind, name, value, updatedAt } of records) {
        if (kind !== QUOTA) continue;
        const { data } = SpentQuotaRecord.safeParse(value);
        const isOver =
          data === undefined ||
          data.resetsAt <= now ||
          data.providers.some((provider) => (declaredAt.get(provider) ?? '') > updatedAt);
        if (isOver) void state.removeDeclaration(kind, name).catch(() => undefined);
        else spent.push({ ...data, until: performance.now() + data.resetsAt - now });
      }
      memory()?.follow(spent, readAt);
      for (const quota of memory()?.unkept(performance.now()) ?? []) void keep(quota);
    },
  };
}

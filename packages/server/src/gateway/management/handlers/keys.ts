import type { BudgetUsageView, KeyView } from '@skein/api';
import { DEFAULT_QUOTA } from '@skein/jobs';
import type { KeyView as HeldKeyView } from '../../../access/contract.ts';
import type { ManagementOptions, NodeHandlers } from '../options.ts';

export function keyHandlers({
  keys,
  jobs,
  budgets,
}: Pick<ManagementOptions, 'keys' | 'jobs' | 'budgets'>) {
  async function usageOf({ tenant, scopes }: HeldKeyView): Promise<BudgetUsageView[]> {
    const { queued, maxQueued } = await jobs.tenantLoad(tenant);
    const limit = maxQueued ?? (scopes.includes('admin') ? Infinity : DEFAULT_QUOTA.maxQueued);
    const usage = budgets.map((budget) => budget.usageOf(tenant));
    return [...usage, { name: 'queued_jobs', unit: 'count' as const, held: queued, limit }].map(
      // JSON has no infinity: a missing limit means unlimited.
      ({ limit: most, ...rest }) => (most === Infinity ? rest : { ...rest, limit: most }),
    );
  }
  return {
    listKeys: async () => ({ keys: (await keys.list()).map(viewOf) }),
    async createKey({ body }) {
      const { key, secret } = await keys.create(body);
      return { ...viewOf(key), secret };
    },
    async getKey({ params }) {
      const { durable, ...key } = await keys.show(params.id);
      return { ...viewOf(key), durable, usage: await usageOf(key) };
    },
    async revokeKey({ params }) {
      await keys.revoke(params.id);
      return undefined;
    },
  } satisfies Partial<NodeHandlers>;
}

function viewOf(key: HeldKeyView): KeyView {
  return { ...key, scopes: [...key.scopes] };
}

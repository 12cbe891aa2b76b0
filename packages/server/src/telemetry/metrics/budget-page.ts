/** The tenants' parts of the shared budgets: the largest holders by name, the rest as one. */
import type { SharedBudget } from '@skein/api/shared-budget';
import { labelled, type Exposition } from '@skein/http';

/** Series per budget, however many tenants there are. */
const MAX_TENANTS = 50;
const REST = '(others)';

interface Held {
  readonly budget: SharedBudget;
  readonly tenant: string;
  readonly held: number;
}

export function exposeBudgets(budgets: readonly SharedBudget[], page: Exposition): void {
  if (budgets.length === 0) return;
  page.family('skein_budget_max', 'gauge', 'What all tenants together may hold.');
  for (const { name, max } of budgets) page.sample(labelled({ budget: name }), max);
  const largest = budgets.map(largestHolders);
  page.family('skein_budget_held', 'gauge', 'What a tenant holds now, in bytes or pieces.');
  for (const { budget, tenant, held } of largest.flat()) {
    page.sample(labelled({ budget: budget.name, tenant }), held);
  }
  page.family('skein_budget_limit', 'gauge', 'Largest amount that a tenant may hold now.');
  for (const { budget, tenant } of largest.flat()) {
    if (tenant === REST) continue;
    page.sample(labelled({ budget: budget.name, tenant }), budget.limitOf(tenant));
  }
}

function largestHolders(budget: SharedBudget): Held[] {
  const all = [...budget.tenants()]
    .map((tenant) => ({ budget, tenant, held: budget.heldBy(tenant) }))
    .sort((one, other) => other.held - one.held);
  const rest = all.splice(MAX_TENANTS).reduce((sum, { held }) => sum + held, 0);
  return rest === 0 ? all : [...all, { budget, tenant: REST, held: rest }];
}

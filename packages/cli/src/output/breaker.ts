/** Why a provider of language models is not asked, as text. */
import type { LanguageView } from '@skein/api';
import { formatDuration } from '@skein/api/units';
import { nameText } from './terminal.ts';

type RouteStanding = LanguageView['models'][number]['routes'][number];

/** `open`, or what keeps its models away: `away for 43 s: PROVIDER_DENIED`. */
export function breakerText(routes: readonly RouteStanding[]): string {
  const reasons = routes.flatMap(({ model, closedBy, closedInMs, quotas }) => {
    if (closedBy === undefined) return [];
    const [quota] = closedBy.code === 'PROVIDER_QUOTA' ? Object.keys(quotas) : [];
    const why = quota === undefined ? closedBy.code : `quota ${nameText(quota)} is spent`;
    const what = closedBy.scope === 'provider' ? '' : `${nameText(model)} is `;
    const whom = tenantsText(closedBy.tenants);
    return [`${what}away for ${formatDuration(closedInMs)}${whom}: ${why}`];
  });
  return reasons.length === 0 ? 'open' : [...new Set(reasons)].join('; ');
}

/** Number of tenants whose own requests have failed; empty: it is away for all. */
const tenantsText = (count: number | undefined): string =>
  count === undefined ? '' : ` for ${count} ${count === 1 ? 'tenant' : 'tenants'}`;

/**
 * The fair share of a member in a limit: in proportion to its demand, with a part for every member
 * that is independent of demand, so that a request to an idle member finds a share there.
 *
 * Shares sum to the total, whatever the demands: what is not demanded is spread too, since a demand
 * is known only until the next request.
 */
export interface Claim {
  readonly member: string;
  readonly demand: number;
  readonly share: number;
}

/**
 * The part of a limit that is divided equally. A larger one lets idle members keep more from busy
 * ones; with none, an idle member has to refuse its first request.
 */
export const EQUAL_PART = 0.1;

export function fairShare(
  claims: readonly Claim[],
  member: string,
  total: number,
  whole: boolean,
): number {
  if (total <= 0) return 0;
  const demands = claims.reduce((sum, { demand }) => sum + demand, 0);
  const base = (EQUAL_PART * Math.max(total, demands)) / claims.length;
  const exact = new Map(
    claims.map((each) => [
      each.member,
      (total * (each.demand + base)) / (demands + base * claims.length),
    ]),
  );
  if (!whole) return exact.get(member) ?? 0;
  return wholeShares(exact, Math.floor(total)).get(member) ?? 0;
}

/** Largest remainder: whole parts first, then one each to the largest fractions. */
function wholeShares(exact: ReadonlyMap<string, number>, total: number): Map<string, number> {
  const shares = new Map([...exact].map(([member, share]) => [member, Math.floor(share)]));
  const byFraction = [...exact].sort(([a, x], [b, y]) => (y % 1) - (x % 1) || (a < b ? -1 : 1));
  let left = total - [...shares.values()].reduce((sum, share) => sum + share, 0);
  for (const [member] of byFraction) {
    if (left-- <= 0) break;
    shares.set(member, (shares.get(member) ?? 0) + 1);
  }
  return shares;
}

/** Which operators exist in which operator set. */
import { domainName } from './model/model.ts';
import { DEPRECATED, INTRODUCED } from './operators.gen.ts';

/** Domain → operator → its operator set. */
function byOperator(table: typeof INTRODUCED): ReadonlyMap<string, ReadonlyMap<string, number>> {
  return new Map(
    Object.entries(table).map(([domain, sets]) => {
      const versions = Object.entries(sets).flatMap(([version, names]) =>
        (names.match(/\w+/g) ?? []).map((name) => [name, Number(version)] as const),
      );
      return [domain, new Map(versions)];
    }),
  );
}

export const introducedIn = byOperator(INTRODUCED);
const deprecatedIn = byOperator(DEPRECATED);

/**
 * Why an operator does not exist in that operator set, as the end of a sentence; `undefined` when it
 * does, or when its domain is not a standard one and only the runtime can decide.
 */
export function whyAbsent(domain: string, operator: string, opset: number): string | undefined {
  const name = domainName(domain);
  const table = introducedIn.get(name);
  if (table === undefined) return undefined;
  const since = table.get(operator);
  if (since === undefined) return `is not an operator of ${name}`;
  if (opset < since) {
    return `is not in opset ${opset} of ${name}: it came with opset ${since}, so export with that or a newer one`;
  }
  const deprecated = deprecatedIn.get(name)?.get(operator);
  if (deprecated !== undefined && opset >= deprecated) {
    return `is not in opset ${opset} of ${name}: it was withdrawn in opset ${deprecated}, so export again, or with an older opset`;
  }
  return undefined;
}

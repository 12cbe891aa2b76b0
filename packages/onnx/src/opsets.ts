/** Which operators exist in which operator set. */
import { domainName } from './model/model.ts';
import { DEPRECATED, OPERATORS } from './operators.gen.ts';

/**
 * Why an operator does not exist in that operator set, as the end of a sentence; `undefined` when it
 * does, or when its domain is not a standard one and only the runtime can tell.
 */
export function whyAbsent(domain: string, operator: string, opset: number): string | undefined {
  const name = domainName(domain);
  const table = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined;
  if (table === undefined) return undefined;
  const since = Object.hasOwn(table, operator) ? table[operator]! : undefined;
  if (since === undefined) return `is not an operator of ${name}`;
  if (opset < since[0]!) {
    return `is not in opset ${opset} of ${name}: it came with opset ${since[0]}, so export with that or a newer one`;
  }
  const deprecated = DEPRECATED[name]?.[operator];
  if (deprecated !== undefined && opset >= deprecated) {
    return `is not in opset ${opset} of ${name}: it was withdrawn in opset ${deprecated}, so export again, or with an older opset`;
  }
  return undefined;
}

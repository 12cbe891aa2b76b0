/** The JSON body of a management call. */
import type { BudgetHold } from '@skein/api/shared-budget';
import { readBody } from './body.ts';
import type { Exchange } from './exchange.ts';
import { parseJson } from './json-value.ts';
import type { GatewayLimits } from './limits.ts';

/**
 * @param hold counts the body while it is in flight; the caller releases it.
 * @returns `{}` for an empty body, so that a body whose fields all have defaults may be omitted.
 * @throws SkeinError as `readBody` and `parseJson` do.
 */
export async function readJson(
  exchange: Exchange,
  limits: GatewayLimits,
  hold: BudgetHold,
): Promise<unknown> {
  const body = await readBody(exchange, limits, hold);
  return body.length === 0 ? {} : parseJson(body);
}

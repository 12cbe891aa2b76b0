/** The JSON body of a management call. */
import { SkeinError } from '@skein/api';
import { readBody } from '../http-body.ts';
import type { Exchange } from '../http-exchange.ts';
import type { GatewayLimits } from '../limits.ts';

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/**
 * @returns `{}` for an empty body, so that one whose fields all have defaults may be left out.
 * @throws SkeinError BODY_NOT_JSON, and as `readBody` does.
 */
export async function readJson(exchange: Exchange, limits: GatewayLimits): Promise<unknown> {
  const body = await readBody(exchange, limits);
  if (body.length === 0) return {};
  try {
    return JSON.parse(UTF8.decode(body));
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : 'it is not UTF-8';
    throw new SkeinError('BODY_NOT_JSON', `The body is not valid JSON: ${reason}.`);
  }
}

/** The body of a call that carries no tensors. */
import { SkeinError } from '@skein/api';
import { readJson } from '@skein/api/foreign-json';
import { type Exchange, readBody } from '@skein/http';
import type { HttpTransport } from '../../face.ts';
import { brief } from '../../brief.ts';
import type { Fields } from '../parameters.ts';

const MAX_PARAMETERS_BYTES = 1024 * 1024;

/** An object, or empty. @throws SkeinError REQUEST_INVALID, and as `readBody` does. */
export async function smallBody(
  exchange: Exchange,
  tenant: string,
  { limits, bodies }: Pick<HttpTransport, 'limits' | 'bodies'>,
): Promise<Fields> {
  const hold = bodies.hold(tenant);
  const maxBodyBytes = Math.min(limits.maxBodyBytes, MAX_PARAMETERS_BYTES);
  const body = await readBody(exchange, { ...limits, maxBodyBytes }, hold).finally(() =>
    hold.release(),
  );
  if (body.length === 0) return {};
  return objectOf(readJson(body), 'body');
}

/** @throws SkeinError REQUEST_INVALID. */
export function objectOf(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  const message = `The ${what} must be an object, but it is ${brief(value)}.`;
  throw new SkeinError('REQUEST_INVALID', message);
}

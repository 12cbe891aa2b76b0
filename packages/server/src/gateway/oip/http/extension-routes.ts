/** The paths of Triton's extensions for shared memory. */
import { SkeinError } from '@skein/api';
import { type Exchange, sendJson, sendText } from '@skein/http';
import { requireMethod, unknownRoute } from '../../face.ts';
import { brief } from '../../brief.ts';
import { refuseCuda } from '../shared-memory/shared-memory.ts';
import { smallBody } from './small-body.ts';
import type { HttpOptions } from '../options.ts';

/** `[/region/{name}]/status`, `/region/{name}/register`, `[/region/{name}]/unregister`. */
export async function serveRegions(
  exchange: Exchange,
  kind: 'system' | 'cuda',
  rest: readonly string[],
  options: HttpOptions,
): Promise<void> {
  const { access, regions } = options;
  const name = rest[0] === 'region' ? rest[1] : undefined;
  const action = name === undefined ? rest[0] : rest[2];
  if (rest.length !== (name === undefined ? 1 : 3)) throw unknownRoute(exchange);
  const { authorization } = exchange.request.headers;
  if (action === 'status') {
    requireMethod(exchange, 'GET');
    const { tenant } = access.authorize(authorization, 'read', exchange);
    const found = kind === 'cuda' ? [] : regions.list(tenant, name);
    const views = found.map(({ byteSize, ...region }) => ({ ...region, byte_size: byteSize }));
    sendJson(exchange, 200, views);
    return;
  }
  if (action !== 'unregister' && (action !== 'register' || name === undefined)) {
    throw unknownRoute(exchange);
  }
  requireMethod(exchange, 'POST');
  const { tenant } = access.authorize(authorization, 'admin', exchange);
  const body = await smallBody(exchange, tenant, options);
  if (action === 'register') {
    if (kind === 'cuda') throw refuseCuda(name!);
    const { key, offset = 0, byte_size: byteSize } = body;
    if (typeof key !== 'string') throw invalid('key', 'a string', key);
    const region = { name: name!, key, offset: sizeOf('offset', offset) };
    await regions.register(tenant, { ...region, byteSize: sizeOf('byte_size', byteSize) });
  } else if (kind === 'system') {
    await regions.unregister(tenant, name);
  }
  sendText(exchange, 200, 'application/json', '');
}

function sizeOf(field: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw invalid(field, 'a number of bytes', value);
}

function invalid(field: string, what: string, value: unknown): SkeinError {
  const message = `The field "${field}" must be ${what}, but it is ${brief(value)}.`;
  return new SkeinError('REQUEST_INVALID', message);
}

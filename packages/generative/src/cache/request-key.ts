/** Which answers may be repeated, and what makes two requests the same: everything but how the answer is sent. */
import { createHash } from 'node:crypto';
import type { GenerateEvent, GenerateRequest } from '../contract.ts';

/** Whether the same request gets the same answer, so that one may be repeated. */
export function isDeterministic({ sampling = {}, choices = 1 }: GenerateRequest): boolean {
  return choices === 1 && (sampling.temperature === 0 || sampling.seed !== undefined);
}

/**
 * Whether an answer is all that its request asked for. Where its provider filtered it, or cut it by a
 * limit that the request does not name, the next call may get the rest.
 */
export function isRepeatable(
  { maxTokens }: GenerateRequest,
  events: readonly GenerateEvent[],
): boolean {
  return events.every(
    (event) =>
      event.type !== 'finish' ||
      (event.reason !== 'content_filter' && (event.reason !== 'length' || maxTokens !== undefined)),
  );
}

/** Answers are never shared between tenants: that one was asked before is a secret too. */
export function requestKey(request: GenerateRequest, tenant: string): string {
  // Neither changes an answer.
  const { stream: _, extra: { prompt_cache_key: __, ...extra } = {}, ...rest } = request;
  return createHash('sha256')
    .update(stableJson([tenant, rest, extra]))
    .digest('base64');
}

/** JSON with sorted keys and without undefined fields. */
function stableJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stableJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const fields = Object.entries(value)
    .filter(([, each]) => each !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([key, each]) => `${JSON.stringify(key)}:${stableJson(each)}`).join(',')}}`;
}

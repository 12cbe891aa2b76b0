/** Errors of OpenAI's form: `{"error": {"message", "type", "code", "param"}}`, also inside a stream. */
import type { SkeinError } from '@skein/api/errors';
import type { UpstreamAnswer } from '../../wire/incoming.ts';
import { asObject, asObjects, asText, durationMs, type Json } from '../../wire/json.ts';
import { type Asked, quoted, unknownModel, upstreamError } from '../../wire/upstream-error.ts';

/** A wait that is longer is for a quota of a day, not for a rate. */
const LONGEST_RATE_MS = 10 * 60_000;
const FILTERED = /content_filter|content_policy|safety/;
const CONTEXT = /context_length_exceeded|context_window|string_above_max_length/;
/** A spent quota is the account's; a rate is counted for each model. */
const OF_ACCOUNT = /insufficient_quota|billing/;

/** @param waitMs what the headers of the answer ask for. */
export function failureOf(
  { provider, model }: Asked,
  status: number,
  body: unknown,
  waitMs: number | undefined,
): SkeinError {
  const error = errorOf(body);
  const code = wordOf(error['code']);
  const type = wordOf(error['type']);
  const param = asText(error['param']) ?? undefined;
  const message = `${status} ${quoted(textIn(error) ?? code)}`.trim();
  const base = { provider, message, status, param };
  if (FILTERED.test(code) || FILTERED.test(type)) return upstreamError('CONTENT_FILTERED', base);
  if (CONTEXT.test(code)) return upstreamError('CONTEXT_TOO_LONG', base);
  if (status === 429) {
    const isSpent = code === 'insufficient_quota' || (waitMs ?? 0) > LONGEST_RATE_MS;
    return upstreamError(isSpent ? 'PROVIDER_QUOTA' : 'PROVIDER_BUSY', {
      ...base,
      quotaId: code || type || 'requests',
      isOfBackend: OF_ACCOUNT.test(code) || OF_ACCOUNT.test(type),
      retryAfterMs: waitMs,
    });
  }
  // The upstream may repeat a part of the key in its message.
  if (status === 401 || status === 402 || status === 403) {
    return upstreamError('PROVIDER_DENIED', {
      provider,
      status,
      // A proxy refuses the key that it has itself for one model.
      isOfBackend: status === 402,
      // The request's contents may cause a 403 too.
      isOfKey: status !== 403 || code === 'invalid_api_key',
      message: `${status}: it refuses the key of this node for the model "${model}".`,
    });
  }
  if (status === 404 || status === 405) return unknownModel({ provider, model }, base);
  if (status === 503 || status === 529) {
    return upstreamError('PROVIDER_BUSY', { ...base, retryAfterMs: waitMs });
  }
  const isRejected = status >= 400 && status < 500 && ![408, 409].includes(status);
  return upstreamError(isRejected ? 'PROVIDER_REJECTED' : 'PROVIDER_FAILED', {
    ...base,
    retryAfterMs: isRejected ? undefined : waitMs,
  });
}

/** Servers that check a schema put the place of the error into `detail`, some inside their message. */
function textIn({ message, detail }: Json): string | undefined {
  const problems = asObjects(asObject(message)?.['detail'] ?? detail).map(({ loc, msg }) =>
    [Array.isArray(loc) ? loc.join('.') : '', asText(msg) ?? ''].join(': '),
  );
  return asText(message) ?? asText(detail) ?? (problems.join('; ') || undefined);
}

const wordOf = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : '';

function errorOf(body: unknown): Json {
  const { error = body } = asObject(body) ?? {};
  return asObject(error) ?? { message: asText(error) ?? '' };
}

/** The status of an error inside a stream, whose HTTP status was 200. */
export function statusInside(body: unknown): number {
  const { code, status } = errorOf(body);
  const number = Number(code ?? status);
  return number >= 400 && number < 600 ? number : 500;
}

const WAITS = ['retry-after-ms', 'retry-after'] as const;
const RESETS = ['x-ratelimit-reset-requests', 'x-ratelimit-reset-tokens'] as const;

/** `retry-after-ms`, then `Retry-After` in seconds or as a date, then the latest reset of a spent rate. */
export function waitOf(
  answer: UpstreamAnswer,
  wallClock: () => number = Date.now,
): number | undefined {
  const [inMs, inSeconds] = WAITS.map((name) => answer.header(name));
  if (inMs !== undefined && Number(inMs) >= 0) return Number(inMs);
  if (inSeconds !== undefined) {
    const ms =
      Number(inSeconds) >= 0 ? Number(inSeconds) * 1000 : Date.parse(inSeconds) - wallClock();
    if (Number.isFinite(ms)) return Math.max(0, ms);
  }
  const resets = RESETS.filter((name) => {
    return answer.header(name.replace('reset', 'remaining')) === '0';
  }).flatMap((name) => durationMs(answer.header(name)) ?? []);
  return resets.length === 0 ? undefined : Math.max(...resets);
}

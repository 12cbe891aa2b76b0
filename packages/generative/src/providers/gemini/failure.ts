/**
 * Errors of Google's form (google.rpc.Status): `{"error": {code, message, status, details}}`.
 *
 * A spent quota is judged by its id and not by the wait that the body names: bodies for a quota of a
 * day have been seen with "retry in 20s". Quotas of a day are reset at midnight in California.
 */
import type { SkeinError } from '@skein/api/errors';
import { asCount, asObject, asObjects, asText, durationMs, type Json } from '../../wire/json.ts';
import { type Asked, quoted, unknownModel, upstreamError } from '../../wire/upstream-error.ts';

const DAY_MS = 86_400_000;

export function failureOf(
  { provider, model }: Asked,
  status: number,
  body: unknown,
  waitMs: number | undefined,
  wallClock: () => number = Date.now,
): SkeinError {
  const [whole] = Array.isArray(body) ? body : [body];
  const error = asObject(asObject(whole)?.['error']) ?? {};
  const details = asObjects(error['details']);
  const code = asCount(error['code']) ?? status;
  const reason = details.flatMap((each) => asText(each['reason']) ?? [])[0];
  const message = `${code} ${quoted(error['message'] ?? error['status'])}`.trim();
  const base = { provider, message, status: code };
  if (code === 429) return quotaError(provider, message, details, waitMs, wallClock);
  if (code === 401 || code === 403 || reason?.startsWith('API_KEY') === true) {
    return upstreamError('PROVIDER_DENIED', {
      provider,
      status: code,
      // The request's contents may cause a 403 too.
      isOfKey: code !== 403 || (reason !== undefined && reason !== 'IAM_PERMISSION_DENIED'),
      message: `${code}: it refuses the credentials of this node for the model "${model}".`,
    });
  }
  if (code === 404) return unknownModel({ provider, model }, base);
  if (code === 503) return upstreamError('PROVIDER_BUSY', { ...base, retryAfterMs: waitMs });
  if (code === 400 && /token count.*exceeds/i.test(message)) {
    return upstreamError('CONTEXT_TOO_LONG', base);
  }
  const isRejected = code >= 400 && code < 500 && ![408, 409, 499].includes(code);
  return upstreamError(isRejected ? 'PROVIDER_REJECTED' : 'PROVIDER_FAILED', base);
}

function quotaError(
  provider: string,
  message: string,
  details: readonly Json[],
  waitMs: number | undefined,
  wallClock: () => number,
): SkeinError {
  const violations = details.flatMap((each) => asObjects(each['violations']));
  const idOf = (violation: Json): string | undefined =>
    asText(violation['quotaId']) ?? asText(violation['quotaMetric']);
  const ids = violations.flatMap((violation) => idOf(violation) ?? []);
  const delay = details.flatMap((each) => durationMs(asText(each['retryDelay'])) ?? [])[0];
  const spent = ids.find((id) => /per_?day|daily/i.test(id));
  const quotaId = spent ?? ids[0] ?? 'requests';
  const dimensions = asObject(
    violations.find((each) => idOf(each) === quotaId)?.['quotaDimensions'],
  );
  const isOfModel =
    ids.length === 0 || /per_?model/i.test(quotaId) || dimensions?.['model'] !== undefined;
  const retryAfterMs =
    spent === undefined ? (delay ?? waitMs) : untilMidnight(wallClock(), 'America/Los_Angeles');
  return upstreamError(spent === undefined ? 'PROVIDER_BUSY' : 'PROVIDER_QUOTA', {
    provider,
    message: `${message} (${quotaId.slice(0, 100)})`,
    status: 429,
    quotaId,
    isOfBackend: !isOfModel,
    retryAfterMs,
  });
}

/** Milliseconds from `now` to the next midnight in a time zone; on a day of a clock change, up to an hour early or late. */
export function untilMidnight(now: number, timeZone: string): number {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    hourCycle: 'h23',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(now);
  const value = (type: string): number =>
    Number(parts.find((part) => part.type === type)?.value ?? 0);
  const passed = ((value('hour') * 60 + value('minute')) * 60 + value('second')) * 1000;
  return DAY_MS - passed - (now % 1000);
}

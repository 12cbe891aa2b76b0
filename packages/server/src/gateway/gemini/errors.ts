/** Errors in the shape of Google's APIs. */
import type { SkeinError } from '@skein/api';
import { FieldError } from '@skein/generative';
import { type NodeExchange, sendErrorAs } from '@skein/http';

/** The names of google.rpc.Code, by number. */
const STATUSES: Readonly<Record<number, string>> = {
  1: 'CANCELLED',
  3: 'INVALID_ARGUMENT',
  4: 'DEADLINE_EXCEEDED',
  5: 'NOT_FOUND',
  7: 'PERMISSION_DENIED',
  8: 'RESOURCE_EXHAUSTED',
  9: 'FAILED_PRECONDITION',
  12: 'UNIMPLEMENTED',
  13: 'INTERNAL',
  14: 'UNAVAILABLE',
  16: 'UNAUTHENTICATED',
};
const TYPE = 'type.googleapis.com/google.rpc.';

/** Where OpenAI's form has the fields of Google: this face has them without it. */
const GOOGLE = 'extra_body.google.';

/** The gateway and its providers name fields as chat completions do. */
const FIELDS: ReadonlyMap<string, string> = new Map([
  ['messages', 'contents'],
  ['response_format', 'generationConfig.responseSchema'],
  ['max_tokens', 'generationConfig.maxOutputTokens'],
  ['tool_choice', 'toolConfig'],
]);

export function errorOf(error: SkeinError): object {
  const { code, row, retryAfterMs } = error;
  let message = error.message.replaceAll(GOOGLE, '');
  const details: object[] = [
    { '@type': `${TYPE}ErrorInfo`, reason: code, domain: 'skein', metadata: { fix: row.fix } },
  ];
  if (error instanceof FieldError) {
    const { param } = error;
    const field = FIELDS.get(param) ?? param.replace(GOOGLE, '');
    message = message.replaceAll(`"${param}"`, `"${field}"`);
    const fieldViolations = [{ field, description: message }];
    details.push({ '@type': `${TYPE}BadRequest`, fieldViolations });
  }
  if (retryAfterMs !== undefined) {
    details.push({ '@type': `${TYPE}RetryInfo`, retryDelay: `${Math.ceil(retryAfterMs) / 1000}s` });
  }
  const status = STATUSES[row.grpc] ?? 'UNKNOWN';
  return { error: { code: row.http, message: `${message} ${row.fix}`, status, details } };
}

export function sendGeminiError(exchange: NodeExchange, error: SkeinError): void {
  sendErrorAs(exchange, error, JSON.stringify(errorOf(error)));
}

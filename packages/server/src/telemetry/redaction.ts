/**
 * Removes payloads and secrets from the details of a log line: bytes and tensors become their size,
 * secret fields are blanked by name, everything is bounded. Callers of the logger need not redact.
 */
const BLANK = '[redacted]';
/** Names of fields that hold payloads or secrets, in lower case. */
const PRIVATE = new Set([
  'authorization',
  'body',
  'content',
  'cookie',
  'data',
  'elements',
  'feeds',
  'inputs',
  'outputs',
  'password',
  'raw',
  'secret',
  'secrethash',
  'tensors',
  'token',
  'x-api-key',
]);
const MAX_DEPTH = 5;
const MAX_ENTRIES = 50;
const MAX_TEXT = 4000;

/** The details of a line without payloads and secrets. */
export function redacted(details: object): Record<string, unknown> {
  return fieldsOf(details, 0, new Set());
}

/** Shortens an API key in any text to its public id. */
export function withoutKeys(text: string): string {
  return text.replace(/(skein_[0-9a-f]{12}_)[A-Za-z0-9_-]{43}/g, `$1${BLANK}`);
}

function valueOf(value: unknown, depth: number, above: ReadonlySet<object>): unknown {
  switch (typeof value) {
    case 'string':
      return value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}… (${value.length})` : value;
    case 'bigint':
    case 'symbol':
      return value.toString();
    case 'function':
      return '[function]';
    case 'object':
      return value === null ? null : objectOf(value, depth, above);
    default:
      return value;
  }
}

function objectOf(value: object, depth: number, above: ReadonlySet<object>): unknown {
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) {
    return `[${value.byteLength} bytes]`;
  }
  if (value instanceof Map || value instanceof Set) return `[${value.size} entries]`;
  if (value instanceof Date) return value;
  if (above.has(value)) return '[circular]';
  if (depth >= MAX_DEPTH) return '[deeper]';
  if (Array.isArray(value)) {
    // A list of numbers is more likely a payload than information.
    if (value.length > MAX_ENTRIES) return `[${value.length} entries]`;
    const within = new Set(above).add(value);
    return value.map((each) => valueOf(each, depth + 1, within));
  }
  return fieldsOf(value, depth, above);
}

function fieldsOf(
  value: object,
  depth: number,
  above: ReadonlySet<object>,
): Record<string, unknown> {
  const within = new Set(above).add(value);
  const result: Record<string, unknown> = {};
  // The fields of an error that describe it are not enumerable.
  const entries: [string, unknown][] =
    value instanceof Error
      ? [
          ['type', value.name],
          ['message', value.message],
          ['stack', value.stack],
          ...(value.cause === undefined ? [] : [['cause', value.cause] as [string, unknown]]),
          ...Object.entries(value).filter(([name]) => name !== 'name'),
        ]
      : Object.entries(value);
  for (const [name, field] of entries.slice(0, MAX_ENTRIES)) {
    const isPrivate = field !== undefined && PRIVATE.has(name.toLowerCase());
    result[name] = isPrivate ? BLANK : valueOf(field, depth + 1, within);
  }
  return result;
}

/** Checks what a function returns for its batches, and writes it as JSON lines. */
import { SkeinError } from '@skein/api/errors';
import type { Columns } from './json-lines.ts';

/** Kinds of values; `null` fits each. */
type Kind = 'number' | 'text' | 'boolean' | 'list' | 'object';

/** The columns of the first batch, which all others must have, with the kinds of values that have come so far. */
export interface Schema {
  readonly kinds: ReadonlyMap<string, Kind | undefined>;
}

/**
 * Writes a batch as lines.
 * @param schema of the batches before it; undefined for the first one.
 * @throws SkeinError FUNCTION_INVALID for values that are no batch, or one with other columns or kinds of values.
 */
export function linesOf(
  returned: unknown,
  schema: Schema | undefined,
): { readonly text: string; readonly schema: Schema } {
  const columns = columnsOf(returned);
  const names = Object.keys(columns);
  if (schema !== undefined) assertNames(names, [...schema.kinds.keys()]);
  const [first = ''] = names;
  const rows = columns[first]?.length ?? 0;
  const kinds = new Map<string, Kind | undefined>();
  for (const [name, values] of Object.entries(columns)) {
    if (values.length !== rows) {
      throw invalid(
        `column "${name}" has ${values.length} values, and column "${first}" has ${rows}`,
      );
    }
    kinds.set(name, kindOf(name, values, schema?.kinds.get(name)));
  }
  let text = '';
  for (let row = 0; row < rows; row++) {
    const line = Object.fromEntries(names.map((name) => [name, columns[name]![row]]));
    text += `${JSON.stringify(line, plain)}\n`;
  }
  // Columns keep the order of the first batch.
  return { text, schema: { kinds } };
}

function columnsOf(returned: unknown): Columns {
  if (typeof returned !== 'object' || returned === null || Array.isArray(returned)) {
    throw invalid(
      `it returned ${shown(returned)} in place of an object with a list for each column`,
    );
  }
  const entries = Object.entries(returned).map(([name, values]: [string, unknown]) => {
    if (Array.isArray(values)) return [name, values as readonly unknown[]] as const;
    if (ArrayBuffer.isView(values) && !(values instanceof DataView)) {
      return [name, Array.from(values as unknown as ArrayLike<unknown>)] as const;
    }
    throw invalid(`column "${name}" is ${shown(values)}, not a list`);
  });
  if (entries.length === 0) throw invalid('it returned no column');
  return Object.fromEntries(entries);
}

function assertNames(names: readonly string[], wanted: readonly string[]): void {
  if (names.length === wanted.length && wanted.every((name) => names.includes(name))) return;
  throw invalid(
    `it returned the columns ${names.join(', ')}, and before ${wanted.join(', ')}: all batches must have the same`,
  );
}

function kindOf(
  name: string,
  values: readonly unknown[],
  before: Kind | undefined,
): Kind | undefined {
  let kind = before;
  for (const value of values) {
    if (value === null || value === undefined) continue;
    const own = kindOfValue(value);
    if (own === undefined) throw invalid(`column "${name}" has the value ${shown(value)}`);
    kind ??= own;
    if (kind === own) continue;
    throw invalid(
      `column "${name}" has the value ${shown(value)}, a ${own}, and before a ${kind}: all values must have one type`,
    );
  }
  return kind;
}

function kindOfValue(value: unknown): Kind | undefined {
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) ? 'number' : undefined;
    case 'bigint':
      return 'number';
    case 'string':
      return 'text';
    case 'boolean':
      return 'boolean';
    case 'object':
      if (value instanceof Date) return 'text';
      return Array.isArray(value) || ArrayBuffer.isView(value) ? 'list' : 'object';
    default:
      return undefined;
  }
}

/** Integers of 64 bits keep all digits, and typed arrays are lists. */
function plain(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') {
    return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(value));
  }
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    return Array.from(value as unknown as ArrayLike<unknown>);
  }
  return value;
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

const invalid = (message: string): SkeinError => new SkeinError('FUNCTION_INVALID', message);

/** Reads a YAML file against a schema; every error names the file and the field. */
import type { SkeinError } from '@skein/api';
import { isScalar, LineCounter, parseDocument, type Scalar, visit } from 'yaml';
import type { z } from 'zod';
import { invalid } from '../invalid.ts';
import { boundYaml } from './yaml-bounds.ts';

/** Refuses alias bombs long before they cost memory. */
const MAX_ALIASES = 100;

/** @throws SkeinError PROBLEM_INVALID. An empty file is an empty map. */
export function parseYaml<Output>(file: string, text: string, schema: z.ZodType<Output>): Output {
  const result = schema.safeParse(readYaml(file, text));
  if (result.success) return result.data;
  throw refusal(file, result.error);
}

/**
 * Reads the keys of a strict schema, and ignores the others. A key without a value is absent:
 * tools write the keys that a setter left empty.
 *
 * @returns the unknown keys as paths, such as `limits.time_for_AC_submissions`.
 * @throws SkeinError PROBLEM_INVALID when the rest violates the schema.
 */
export function parseKnownKeys<Output>(
  file: string,
  text: string,
  schema: z.ZodType<Output>,
): { readonly value: Output; readonly unknown: readonly string[] } {
  const given = withoutNulls(readYaml(file, text));
  const unknown: string[] = [];
  for (;;) {
    const result = schema.safeParse(given);
    if (result.success) return { value: result.data, unknown };
    const found = result.error.issues.flatMap((issue) => unknownKeys(issue, []));
    if (found.length === 0) throw refusal(file, result.error);
    for (const path of found) {
      remove(given, path);
      unknown.push(path.join('.'));
    }
  }
}

type Path = readonly PropertyKey[];

/** The unknown keys of an issue; for a union, the unknown keys of the only form that lacks nothing else. */
function unknownKeys(issue: z.core.$ZodIssue, above: Path): Path[] {
  const at = [...above, ...issue.path];
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => [...at, key]);
  if (issue.code !== 'invalid_union') return [];
  const forms = issue.errors.filter((form) =>
    form.every((inner) => unknownKeys(inner, at).length > 0),
  );
  return (forms[0] ?? []).flatMap((inner) => unknownKeys(inner, at));
}

function remove(value: unknown, [key = '', ...rest]: Path): void {
  const map = value as Record<PropertyKey, unknown>;
  if (rest.length === 0) delete map[key];
  else remove(map[key], rest);
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== null);
  return Object.fromEntries(entries.map(([key, item]) => [key, withoutNulls(item)]));
}

function refusal(file: string, error: z.ZodError): SkeinError {
  const issues = error.issues.map((issue) => {
    const field = issue.path.join('.');
    return field === '' ? issue.message : `${field}: ${issue.message}`;
  });
  return invalid(file, issues.slice(0, 5).join('; '));
}

function readYaml(file: string, text: string): unknown {
  boundYaml(file, text);
  const lines = new LineCounter();
  const at = (offset = 0): string => {
    const { line, col } = lines.linePos(offset);
    return `at line ${line}, column ${col}`;
  };
  // The parser compares every key with every other, and shows the text in each of thousands of errors.
  const document = parseDocument(text, {
    uniqueKeys: false,
    prettyErrors: false,
    lineCounter: lines,
  });
  const [error] = document.errors;
  if (error !== undefined) throw invalid(file, `${error.message} ${at(error.pos[0])}`);
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<unknown>();
      for (const { key } of items.filter((pair) => isScalar(pair.key))) {
        const { value, range } = key as Scalar;
        if (seen.has(value)) throw invalid(file, `Map keys must be unique ${at(range?.[0])}`);
        seen.add(value);
      }
    },
  });
  try {
    return (document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown) ?? {};
  } catch (caught) {
    throw invalid(file, caught instanceof Error ? caught.message : String(caught));
  }
}

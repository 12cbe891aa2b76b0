/** Reads a YAML file against a schema; every error names the file and the field. */
import { parseDocument } from 'yaml';
import type { z } from 'zod';
import { invalid } from './invalid.ts';

/** Refuses alias bombs long before they cost memory. */
const MAX_ALIASES = 100;

/** @throws SkeinError PROBLEM_INVALID. An empty file is an empty map. */
export function parseYaml<Output>(file: string, text: string, schema: z.ZodType<Output>): Output {
  const value = readYaml(file, text);
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map((issue) => {
    const field = issue.path.join('.');
    return field === '' ? issue.message : `${field}: ${issue.message}`;
  });
  throw invalid(file, issues.slice(0, 5).join('; '));
}

function readYaml(file: string, text: string): unknown {
  const document = parseDocument(text, { uniqueKeys: true, prettyErrors: true });
  const [error] = document.errors;
  if (error !== undefined)
    throw invalid(file, (error.message.split('\n')[0] ?? '').replace(/:$/, ''));
  try {
    return (document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown) ?? {};
  } catch (caught) {
    throw invalid(file, caught instanceof Error ? caught.message : String(caught));
  }
}

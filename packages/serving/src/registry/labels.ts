/**
 * Names of the classes that a model distinguishes. They come from the metadata of the file, from a
 * ZipMap in its graph, or from the upload, and are kept with the version as a JSON list under `labels`.
 */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import type { Model } from '@skein/onnx';

const KEY = 'labels';
/** Longer lists are not kept: every view of the version repeats them. */
const MAX_TEXT = 64 * 1024;
/** Keys under which exporters write the names, and where `skein train` does. */
const FILE_KEYS = [KEY, 'names', 'classes', 'skein.training'];

/**
 * The labels that the version keeps from its file.
 * @param scored labels of outputs, from the nodes of the graph. The file's metadata may name the same
 *   classes better; of outputs with different classes none are kept, because a version has one list.
 */
export function labelsOf(
  { metadataProps }: Model,
  scored: readonly (readonly string[])[] = [],
): Readonly<Record<string, string>> {
  const [first, ...others] = scored.map((labels) => JSON.stringify(labels));
  const isOne = first !== undefined && others.every((other) => other === first);
  const count = isOne ? scored[0]!.length : undefined;
  for (const key of FILE_KEYS) {
    const text = metadataProps.find((entry) => entry.key === key)?.value ?? '';
    const labels = text.length > MAX_TEXT ? undefined : listIn(text);
    if (labels === undefined || (count !== undefined && labels.length !== count)) continue;
    return { [KEY]: JSON.stringify(labels) };
  }
  return isOne && count !== 0 && first.length <= MAX_TEXT ? { [KEY]: first } : {};
}

/** @param metadata of a version. */
export function labelsIn(
  metadata: Readonly<Record<string, string>>,
): readonly string[] | undefined {
  return listIn(metadata[KEY] ?? '');
}

function listIn(text: string): readonly string[] | undefined {
  const value = parsed(text);
  const list = Array.isArray(value) ? value : (value as { classes?: unknown } | undefined)?.classes;
  return Array.isArray(list) && list.length > 0 && list.every((name) => typeof name === 'string')
    ? list
    : undefined;
}

/** JSON, or a dictionary of Python from 0 on, as Ultralytics writes it: `{0: 'person', 1: 'car'}`. */
function parsed(text: string): unknown {
  try {
    return readJson(text, JSON_BOUNDS.stored);
  } catch {
    // A bounded number of digits: from each of many, the search would go to their end.
    const entries = [...text.matchAll(/(\d{1,9}): (?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")/g)];
    const inOrder = entries.every(([, index], at) => Number(index) === at);
    return inOrder ? entries.map(([, , one, other]) => one ?? other) : undefined;
  }
}

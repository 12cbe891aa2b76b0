/** Token counts and chunks of texts, by the tokenizer of a language model. */
import { stat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SkeinError } from '@skein/api/errors';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import type { BatchFunction } from '../batch-function.ts';
import { assertOptions, integerOption, textColumn } from './built-in.ts';
import { chunksOf } from './chunks.ts';

type Count = (text: string) => number;
type Options = Readonly<Record<string, string>>;

const MOST_TOKENS = 2 ** 20;

/** A row for each chunk, with its number, its text and its tokens. */
export const chunk: BatchFunction = async (columns, options) => {
  assertOptions(options, ['column', 'tokenizer', 'tokens', 'overlap']);
  const { column = 'text' } = options;
  const tokens = integerOption(options, 'tokens', 512, [1, MOST_TOKENS]);
  const overlap = integerOption(options, 'overlap', 0, [0, tokens - 1]);
  const texts = textColumn(columns, column);
  const count = await counterOf(options);
  const added: Record<string, unknown[]> = { chunk: [], tokens: [] };
  assertFree(columns, Object.keys(added));
  const result: Record<string, unknown[]> = {
    ...Object.fromEntries(Object.keys(columns).map((name) => [name, []])),
    ...added,
  };
  for (const [row, text] of texts.entries()) {
    for (const [number, each] of chunksOf(text ?? '', count, { tokens, overlap }).entries()) {
      for (const [name, values] of Object.entries(columns)) result[name]!.push(values[row]);
      result[column]![result[column]!.length - 1] = each.text;
      result['chunk']!.push(number);
      result['tokens']!.push(each.tokens);
    }
  }
  return result;
};

/** The rows with their number of tokens. */
export const tokens: BatchFunction = async (columns, options) => {
  assertOptions(options, ['column', 'tokenizer']);
  const texts = textColumn(columns, options['column'] ?? 'text');
  assertFree(columns, ['tokens']);
  const count = await counterOf(options);
  return { ...columns, tokens: texts.map((text) => (text === null ? null : count(text))) };
};

function assertFree(columns: Readonly<Record<string, unknown>>, names: readonly string[]): void {
  const taken = names.find((name) => name in columns);
  if (taken === undefined) return;
  throw new SkeinError('FUNCTION_INVALID', `the rows already have a column "${taken}"`);
}

/** One for each job: a tokenizer of 250,000 tokens takes a second to read. */
const counters = new Map<string, Promise<Count>>();

function counterOf({ tokenizer }: Options): Promise<Count> {
  if (tokenizer === undefined) {
    throw new SkeinError('FUNCTION_INVALID', 'option tokenizer=FILE is missing');
  }
  let counter = counters.get(tokenizer);
  if (counter === undefined) counters.set(tokenizer, (counter = openCounter(tokenizer)));
  return counter;
}

/** Counts without the tokens that a model adds around a text. */
async function openCounter(path: string): Promise<Count> {
  const { Tokenizer } = await import('@huggingface/tokenizers');
  try {
    const isFolder = (await stat(path)).isDirectory();
    const file = isFolder ? join(path, 'tokenizer.json') : path;
    const read = readJson(await readFile(file), JSON_BOUNDS.model);
    const tokenizer = new Tokenizer(read, {});
    return (text) => tokenizer.encode(text, { add_special_tokens: false }).ids.length;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SkeinError('FUNCTION_INVALID', `${path} is no tokenizer.json: ${reason}`, {
      cause: error,
    });
  }
}

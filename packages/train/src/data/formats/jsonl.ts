/** Objects of a JSON Lines text, one at a time. Empty lines are skipped. */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { dataError } from '../../train-error.ts';
import { chunksOf, utf8Decoder, type ByteSource } from '../bytes.ts';

export interface JsonRecord {
  /** Counted from 1. */
  readonly line: number;
  readonly record: Readonly<Record<string, unknown>>;
}

/** @throws TrainError `data` for a line that is not a JSON object or not UTF-8. */
export async function* jsonRecords(source: ByteSource): AsyncGenerator<JsonRecord> {
  let line = 0;
  for await (const text of linesOf(source, () => line + 1)) {
    line++;
    if (text.trim() === '') continue;
    let record: unknown;
    try {
      record = readJson(text, JSON_BOUNDS.stored);
    } catch (error) {
      throw dataError(`Line ${line} is not JSON.`, { cause: error });
    }
    if (typeof record !== 'object' || record === null || Array.isArray(record)) {
      throw dataError(`Line ${line} is not a JSON object.`);
    }
    yield { line, record: record as Record<string, unknown> };
  }
}

async function* linesOf(source: ByteSource, line: () => number): AsyncGenerator<string> {
  const decode = utf8Decoder(line);
  let rest = '';
  for await (const chunk of chunksOf(source)) {
    const lines = decode(chunk).split('\n');
    lines[0] = rest + lines[0]!;
    rest = lines.pop()!;
    yield* lines;
  }
  rest += decode();
  if (rest !== '') yield rest;
}

/**
 * Records of a CSV text, one at a time, so that a file of any size takes bounded memory.
 *
 * RFC 4180: fields may be quoted, `""` is a quote inside one, and a quoted field may hold separators
 * and line breaks. Lines end with LF or CRLF; empty lines and a byte order mark are skipped.
 */
import { dataError } from '../../train-error.ts';
import { chunksOf, utf8Decoder, type ByteSource } from '../bytes.ts';

export interface CsvRecord {
  /** Line on which the record begins, counted from 1. */
  readonly line: number;
  readonly fields: readonly string[];
}

export interface CsvOptions {
  /** One character; default: of comma, semicolon, tab and bar the most frequent of the first line. */
  readonly separator?: string;
  /** Called with the separator, before the first record. */
  readonly onSeparator?: (separator: string) => void;
}

/** @throws TrainError `data` for an unclosed quote, text after one, or bytes that are not UTF-8. */
export async function* csvRecords(
  source: ByteSource,
  { separator, onSeparator }: CsvOptions = {},
): AsyncGenerator<CsvRecord> {
  let parser = separator === undefined ? undefined : csvParser(separator);
  const decode = utf8Decoder(() => parser?.line() ?? 1);
  let held = '';
  const begun = (text: string, isAll: boolean) => {
    held += text;
    // The first line of a file is short; one that is not may be judged by its beginning.
    if (!isAll && held.length < LONGEST_SAMPLE && !held.trimStart().includes('\n'))
      return undefined;
    const found = separatorOf(held);
    onSeparator?.(found);
    return csvParser(found);
  };
  for await (const chunk of chunksOf(source)) {
    const text = decode(chunk);
    if (parser !== undefined) yield* parser.push(text);
    else if ((parser = begun(text, false)) !== undefined) yield* parser.push(held);
  }
  const rest = decode();
  if (parser === undefined) {
    parser = begun(rest, true)!;
    yield* parser.push(held);
  } else yield* parser.push(rest);
  yield* parser.end();
}

/** Characters of a line that are examined. */
const LONGEST_SAMPLE = 65_536;

/** The separator that is most frequent outside of quotes in the first line with text; a comma where none is. */
function separatorOf(text: string): string {
  const bare = text.trimStart().replaceAll(/"[^"]*("|$)/g, '');
  const [line = ''] = bare.split('\n', 1);
  const count = (each: string) => line.split(each).length;
  return [';', '\t', '|'].reduce((best, each) => (count(each) > count(best) ? each : best), ',');
}

/** `closed`: behind a closing quote. `ended`: behind a CR there. */
type Place = 'start' | 'plain' | 'quoted' | 'closed' | 'ended';

/** A state machine over characters, into which text may be pushed in any pieces. */
function csvParser(separator: string) {
  let place: Place = 'start';
  let field = '';
  let fields: string[] = [];
  let quoted = false;
  let line = 1;
  let begun = 1;

  const finishField = () => {
    fields.push(place === 'plain' && field.endsWith('\r') ? field.slice(0, -1) : field);
    field = '';
    place = 'start';
  };
  /** `undefined` for an empty line. */
  const takeRecord = (): CsvRecord | undefined => {
    const empty = fields.length === 1 && fields[0] === '' && !quoted;
    const record = { line: begun, fields };
    fields = [];
    quoted = false;
    begun = line;
    return empty ? undefined : record;
  };

  return {
    line: () => line,
    *push(text: string): Generator<CsvRecord> {
      let from = 0;
      for (let i = 0; i < text.length; i++) {
        const char = text[i]!;
        if (char === '\n') line++;
        if (place === 'quoted') {
          if (char !== '"') continue;
          field += text.slice(from, i);
          place = 'closed';
        } else if (char === separator || char === '\n') {
          if (place === 'plain') field += text.slice(from, i);
          finishField();
          if (char === separator) continue;
          const record = takeRecord();
          if (record !== undefined) yield record;
        } else if (char === '"' && place !== 'plain' && place !== 'ended') {
          // A quote right after a closing one stands for itself.
          if (place === 'closed') field += '"';
          place = 'quoted';
          quoted = true;
          from = i + 1;
        } else if (place === 'start') {
          place = 'plain';
          from = i;
        } else if (place === 'closed' && char === '\r') {
          place = 'ended';
        } else if (place === 'closed' || place === 'ended') {
          throw dataError(`Line ${line} has text after a closing quote.`);
        }
      }
      if (place === 'plain' || place === 'quoted') field += text.slice(from);
    },
    *end(): Generator<CsvRecord> {
      if (place === 'quoted') {
        throw dataError(`The quote that opens in the record of line ${begun} is never closed.`);
      }
      if (fields.length === 0 && place === 'start') return;
      finishField();
      const record = takeRecord();
      if (record !== undefined) yield record;
    },
  };
}

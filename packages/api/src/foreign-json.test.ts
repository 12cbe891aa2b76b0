/** The bounds on the cost of foreign JSON. */
import { expect, test } from 'vitest';
import { boundJson, JSON_BOUNDS, readJson, readJsonInTurns, readJsonOr } from './foreign-json.ts';

const { depth: MAX_DEPTH, values: MAX_VALUES } = JSON_BOUNDS.request;

/** Parses the bytes and the text, which must give the same. */
function parse(text: string): unknown {
  const attempt = (source: Uint8Array | string): { value: unknown } | { error: unknown } => {
    try {
      return { value: readJson(source) };
    } catch (error) {
      return { error };
    }
  };
  const [one, other] = [attempt(Buffer.from(text)), attempt(text)];
  expect(other).toEqual(one);
  if ('error' in one) throw one.error;
  return one.value;
}

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

test('JSON that is nested deeper than the bound is refused, whatever its brackets', () => {
  expect(parse(nested(MAX_DEPTH))).toBeInstanceOf(Array);
  expect(() => parse(nested(MAX_DEPTH + 1))).toThrow(/nested deeper/);
  expect(() => parse('{"a":'.repeat(100_000))).toThrow(/nested deeper/);
  // Brackets in strings are text.
  expect(parse(`"${'['.repeat(1000)}\\"${'{'.repeat(1000)}"`)).toHaveLength(2001);
});

test('what has more values than the bound is refused before it is parsed', () => {
  const list = (count: number): string => `[${Array(count).fill('{}').join(',')}]`;
  expect(parse(list(MAX_VALUES / 2 - 1))).toHaveLength(MAX_VALUES / 2 - 1);
  expect(() => parse(list(MAX_VALUES))).toThrow(/more than 50000 values/);
  expect(parse(`"${','.repeat(MAX_VALUES)}"`)).toHaveLength(MAX_VALUES);
});

test('an object with more members than the bound is refused, a list with as many elements is not', () => {
  const members = (count: number): string =>
    `[0,{${Array.from({ length: count }, (_, index) => `"k${index}":0`).join(',')}},{"a":1}]`;
  expect(parse(members(4096))).toHaveLength(3);
  expect(() => parse(members(4097))).toThrow(/more than 4096 members/);
  expect(parse(`{"a":[${Array(10_000).fill('0').join(',')}],"b":1}`)).toHaveProperty('b');
});

test('text that is not JSON, or not UTF-8, gives its own error', () => {
  expect(() => parse('{"a":}')).toThrow(/not valid JSON/);
  expect(() => readJson(Buffer.from([0x22, 0xff, 0x22]))).toThrow(/not UTF-8/);
  expect(() => parse(']]]]')).toThrow(/not valid JSON/);
});

test('a key such as `__proto__` is an ordinary key', () => {
  const value = parse('{"__proto__":{"ready":true},"a":{"constructor":1}}') as object;
  expect((value as { ready?: boolean }).ready).toBeUndefined();
  expect(({} as { ready?: boolean }).ready).toBeUndefined();
});

test('the end of a string is found whatever escapes and distances it has', () => {
  const count = (text: string, values: number) => {
    const bytes = Buffer.from(`["${text}",1]`);
    return () => boundJson(bytes, 0, bytes.length, { ...JSON_BOUNDS.request, values });
  };
  const pieces = [
    'a'.repeat(63),
    'a'.repeat(200),
    '\\\\',
    '\\"',
    '\\\\'.repeat(40),
    '\\"'.repeat(70),
    ',',
    '[',
  ];
  for (const [a, b, c] of pieces.flatMap((a) =>
    pieces.flatMap((b) => pieces.map((c) => [a, b, c])),
  )) {
    const text = `${a}${b}${c}`;
    // A list, and two values of it.
    expect(count(text, 3)).not.toThrow();
    expect(count(text, 2)).toThrow(/values/);
  }
  expect(() => parse(`["${'a'.repeat(500)}`)).toThrow(/not valid JSON/);
});

test('a long request is checked in one turn and parsed in another', async () => {
  const bytes = new TextEncoder().encode('{"a":[1,2]}');
  let turns = 0;
  const turn = async (): Promise<void> => void turns++;
  expect(await readJsonInTurns(bytes, turn)).toEqual({ a: [1, 2] });
  expect(turns).toBe(1);
  const deep = new TextEncoder().encode('['.repeat(100));
  await expect(readJsonInTurns(deep, turn)).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
  expect(turns).toBe(1);
  await expect(readJsonInTurns(bytes.subarray(0, 9), turn)).rejects.toMatchObject({
    code: 'BODY_NOT_JSON',
  });
});

test('a text with more bytes than the bound is refused, and what it is named stands in the error', () => {
  const bounds = { ...JSON_BOUNDS.frame, bytes: 5 };
  expect(readJson('"abc"', bounds)).toBe('abc');
  expect(() => readJson('"abcd"', bounds)).toThrow(/more than 5 bytes/);
  // Three characters, and six bytes without the quotes.
  expect(() => readJson('"äöü"', bounds)).toThrow(/more than 5 bytes/);
  expect(() => readJson('{', bounds, 'header')).toThrow(/^The header is not valid JSON/);
  expect(readJsonOr('{', bounds, 'none')).toBe('none');
  expect(readJsonOr('null', bounds, 'none')).toBeNull();
});

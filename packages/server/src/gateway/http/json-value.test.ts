/** The bounds on the cost of a caller's JSON, and how errors show its values. */
import { expect, test } from 'vitest';
import { boundJson, MAX_JSON_DEPTH, MAX_JSON_VALUES, parseJson } from '@skein/http/json-value';
import { brief } from '../brief.ts';

const parse = (text: string): unknown => parseJson(Buffer.from(text));
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

test('JSON that is nested deeper than the bound is refused, whatever its brackets', () => {
  expect(parse(nested(MAX_JSON_DEPTH))).toBeInstanceOf(Array);
  expect(() => parse(nested(MAX_JSON_DEPTH + 1))).toThrow(/nested deeper/);
  expect(() => parse('{"a":'.repeat(100_000))).toThrow(/nested deeper/);
  // Brackets in strings are text.
  expect(parse(`"${'['.repeat(1000)}\\"${'{'.repeat(1000)}"`)).toHaveLength(2001);
});

test('what has more values than the bound is refused before it is parsed', () => {
  const list = (count: number): string => `[${Array(count).fill('{}').join(',')}]`;
  expect(parse(list(MAX_JSON_VALUES / 2 - 1))).toHaveLength(MAX_JSON_VALUES / 2 - 1);
  expect(() => parse(list(MAX_JSON_VALUES))).toThrow(/more than 50000 values/);
  expect(parse(`"${','.repeat(MAX_JSON_VALUES)}"`)).toHaveLength(MAX_JSON_VALUES);
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
  expect(() => parseJson(Buffer.from([0x22, 0xff, 0x22]))).toThrow(/not UTF-8/);
  expect(() => parse(']]]]')).toThrow(/not valid JSON/);
});

test('a key such as `__proto__` is an ordinary key', () => {
  const value = parse('{"__proto__":{"ready":true},"a":{"constructor":1}}') as object;
  expect((value as { ready?: boolean }).ready).toBeUndefined();
  expect(({} as { ready?: boolean }).ready).toBeUndefined();
});

test('an error shows only the start of a large or deep value, and reads no more of it', () => {
  const deep = JSON.parse(nested(1_000_000)) as unknown;
  expect(brief(deep)).toBe('[[…]]');
  expect(brief({ a: { b: deep } })).toBe('{"a":{…}}');
  expect(brief('x'.repeat(1_000_000))).toHaveLength(58);
  expect(brief(Array(1_000_000).fill(0)).length).toBeLessThanOrEqual(60);
  expect([brief([1, 'a', null]), brief(undefined), brief(1.5)]).toEqual([
    '[1,"a",null]',
    'missing',
    '1.5',
  ]);
});

test('the end of a string is found whatever escapes and distances it has', () => {
  const count = (text: string, most: number) => {
    const bytes = Buffer.from(`["${text}",1]`);
    return () => boundJson(bytes, 0, bytes.length, most);
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

import { seededRandom } from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import { Automaton, type State } from './automaton.ts';
import { grammarOfSchema } from './json-schema.ts';
import { ANY_OBJECT } from './json-text.ts';
import { accepts, randomText } from './testing/texts.ts';

type Schema = Record<string, unknown>;

const PERSON: Schema = {
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 5 },
    age: { type: 'integer' },
    tags: { type: 'array', items: { enum: ['a', 'b"', 3, null] }, minItems: 1, maxItems: 3 },
    size: { type: ['number', 'null'] },
  },
  required: ['name', 'tags'],
  additionalProperties: false,
};
const TREE: Schema = {
  $ref: '#/$defs/node',
  $defs: {
    node: {
      type: 'object',
      properties: {
        kids: { type: 'array', items: { $ref: '#/$defs/node' } },
        ok: { type: 'boolean' },
      },
      required: ['kids'],
    },
  },
};

describe('the grammar of a schema', () => {
  it('makes only texts that satisfy it, over hundreds of random ones', () => {
    const seen = { absent: 0, empty: 0, nulls: 0 };
    for (let seed = 0; seed < 250; seed++) {
      const value = JSON.parse(randomText(grammarOfSchema(PERSON), seed)) as Record<
        string,
        unknown
      >;
      expect(Object.keys(PERSON['properties'] as object)).toEqual(
        expect.arrayContaining(Object.keys(value)),
      );
      const length = Array.from(value['name'] as string).length;
      expect(length >= 1 && length <= 5).toBe(true);
      const tags = value['tags'] as unknown[];
      expect(tags.length >= 1 && tags.length <= 3).toBe(true);
      for (const tag of tags) expect(['a', 'b"', 3, null]).toContain(tag);
      if ('age' in value) expect(Number.isInteger(value['age'])).toBe(true);
      if (!('age' in value)) seen.absent++;
      if (value['size'] === null) seen.nulls++;
    }
    expect(Math.min(seen.absent, seen.nulls)).toBeGreaterThan(0);
  });

  it('keeps recursive schemas, and any object', () => {
    const isNode = (value: unknown): boolean => {
      const { kids, ok, ...more } = value as { kids: unknown[]; ok?: boolean };
      return (
        Object.keys(more).length === 0 &&
        (ok === undefined || typeof ok === 'boolean') &&
        kids.every(isNode)
      );
    };
    for (let seed = 0; seed < 60; seed++) {
      expect(isNode(JSON.parse(randomText(grammarOfSchema(TREE), seed)))).toBe(true);
      expect(JSON.parse(randomText(ANY_OBJECT, seed))).toBeTypeOf('object');
    }
  });

  it.each<[Schema, string, boolean]>([
    [{ type: 'string' }, '"😀é\\n\\ud83d\\ude00"', true],
    [{ type: 'string' }, '"\\ud83d"', false],
    [{ type: 'string', maxLength: 2 }, '"😀é"', true],
    [{ type: 'string', maxLength: 2 }, '"abc"', false],
    [{ type: 'number' }, '-0.5e-3', true],
    [{ type: 'number' }, '01', false],
    [{ type: 'integer' }, '1.0', false],
    [{ const: { a: [1] } }, '{"a":[1]}', true],
    [{ anyOf: [{ type: 'null' }, { const: 7 }] }, '7', true],
    [{ type: 'object', additionalProperties: { type: 'integer' } }, '{"x": 1,\n  "y":2}', true],
    [{ type: 'object', additionalProperties: { type: 'integer' } }, '{"x": "1"}', false],
    [{ type: 'object', additionalProperties: false }, '{}', true],
    [{ type: 'object', additionalProperties: false }, '{"x":1}', false],
    [{ type: 'object', properties: { a: {}, b: {} } }, '{"b": [true, {"c": null}]}', true],
    [{ type: 'object', properties: { a: {}, b: {} } }, '{"b": 1, "a": 2}', false],
    [{ type: 'array', items: { type: 'integer' }, minItems: 2 }, '[1]', false],
    [{ type: 'array', items: { type: 'integer' }, minItems: 2 }, '[1, 2,3]', true],
    [{ type: 'array', maxItems: 0 }, '[]', true],
    [{ type: 'string', format: 'uuid', minLength: 1, maxLength: 36 }, '"x"', false],
    [{ type: ['string', 'null'], format: 'date' }, '"2024-02-29"', true],
    [{ type: ['string', 'null'], format: 'date' }, '"2023-02-29"', false],
    [{ type: ['string', 'null'], format: 'date' }, 'null', true],
    [{ type: 'boolean', format: 'date' }, 'true', true],
    [{ type: 'integer', format: 'int32' }, '2147483647', true],
    [{ type: 'integer', format: 'int32' }, '-2147483649', false],
    [{ type: 'integer', format: 'int32', minimum: 5, maximum: 1e12 }, '2147483648', false],
    [{ type: 'integer', format: 'int32', minimum: 5, maximum: 1e12 }, '4', false],
    [{ type: 'integer', format: 'int64' }, '999999999999999', true],
    [{ type: 'number', format: 'double' }, '1e99', true],
    [{ type: 'number', format: 'float' }, '1e99', false],
    [{ type: 'number', format: 'float' }, '-123456.5', true],
    [{ type: 'integer', enum: ['a', 3] }, '3', true],
    [{ type: 'integer', enum: ['a', 3] }, '"a"', false],
    [{ type: ['null', 'object'], enum: [null, {}, []] }, '[]', false],
    [{ type: 'number', anyOf: [{ minimum: 5, maximum: 9 }, { type: 'integer' }] }, '5', true],
    [{ type: 'number', anyOf: [{}, { type: 'integer' }] }, '"a"', false],
    [{ required: ['a'], additionalProperties: { type: 'null' } }, '{"a": null}', true],
    [{ required: ['a'], additionalProperties: { type: 'null' } }, '{"a": 1}', false],
    [{ minItems: 1 }, '[]', false],
    [{ maxLength: 1 }, '"ab"', false],
  ])('%j: %s is in it: %j', (schema, text, expected) => {
    expect(accepts(grammarOfSchema(schema), text)).toBe(expected);
  });

  it.each<[Schema, RegExp]>([
    [{ type: 'string', pattern: 'a+' }, /"pattern".* keeps are: .*maximum.* minItems/],
    [{ maximum: 0 }, /maximum without the type "integer" or "number"/],
    [{ type: 'number', multipleOf: 0 }, /multipleOf that is not above 0/],
    [{ type: 'number', multipleOf: 1e-20 }, /multipleOf of more than 14 digits/],
    [{ type: 'number', minimum: 1e-20, maximum: 2e-20 }, /no number/],
    [{ enum: [1, 2], maximum: 1 }, /maximum next to enum/],
    [{ type: 'integer', minimum: '0' }, /a minimum that is not a number/],
    [{ type: 'integer', minimum: 1.2, maximum: 1.8 }, /no integer/],
    [{ type: 'date' }, /the type "date"/],
    [{ type: ['null', ['string']] }, /lists the type \["string"\]/],
    [{ type: 'string', format: 'uri' }, /the format "uri".* keeps there are: date, .*email/],
    [{ type: 'string', format: 5 }, /the format 5/],
    [{ type: 'string', format: { toString: 'x' } }, /the format {"toString":"x"}/],
    [{ type: 'number', format: { toString: 'x' } }, /the format {"toString":"x"}/],
    [{ type: 'string', format: 'toString' }, /the format "toString"/],
    [{ type: 'string', format: 'int32' }, /the format "int32"/],
    [{ type: 'integer', format: 'uint8' }, /the format "uint8".* keeps there are: int32/],
    [
      { type: 'string', format: 'uuid', maxLength: 35 },
      /bounds the length of .*"uuid", of 36 to 36/,
    ],
    [{ type: 'string', format: 'email', minLength: 6 }, /bounds the length of .*email/],
    [{ format: 'date' }, /a format without a type/],
    [{ enum: ['2024-01-01'], format: 'date' }, /format next to enum/],
    [{ $ref: 'https://example.com/x' }, /outside/],
    [{ $ref: '#/$defs/none' }, /not there/],
    [{ properties: { a: { $ref: '#a' } } }, /"#a", which is not there/],
    [{ type: 'string', maxLength: 1e9 }, /maxLength/],
    [{ type: 'string', minLength: 2, maxLength: 1 }, /minLength above its maxLength/],
    [{ type: 'array', minItems: 2, maxItems: 1 }, /minItems above its maxItems/],
    [{ enum: [] }, /allows no value/],
    [{ anyOf: [] }, /allows no value/],
    [{ type: [] }, /allows no value/],
    [{ type: 'integer', enum: ['a'] }, /allows no value/],
    [{ type: 'integer', const: 1.5 }, /allows no value/],
    [{ enum: 'a' }, /enum that is not a list/],
    [{ const: 1, enum: [2] }, /enum next to const/],
    [{ $ref: '#/$defs/a', required: ['a'], $defs: { a: {} } }, /required next to \$ref/],
    [{ required: ['a'], anyOf: [{ required: ['b'] }] }, /required next to anyOf/],
    [{ enum: ['a', 'bb'], maxLength: 1 }, /maxLength next to enum/],
    [{ required: ['a'], additionalProperties: false }, /requires "a", which its properties/],
    [{ type: 'object', required: 'a' }, /required that is not a list/],
    [{ type: 'object', properties: [1] }, /properties that are not an object/],
    [{ oneOf: [{ pattern: 'a' }] }, /at #\/oneOf\/0/],
  ])('refuses %j', (schema, message) => {
    expect(() => grammarOfSchema(schema)).toThrow(message);
  });

  it('keeps integers within their bounds, and leaves none out', () => {
    const random = seededRandom(7);
    const ends = (): number => Math.round((random.next() - 0.5) * 10 ** (1 + random.next() * 3));
    for (let round = 0; round < 150; round++) {
      const [minimum, maximum] = [ends(), ends()].toSorted((a, b) => a - b) as [number, number];
      const grammar = grammarOfSchema({ type: 'integer', minimum, maximum });
      for (const value of [...Array.from({ length: 20 }, ends), minimum, maximum]) {
        for (const near of [value, value - 1, value + 1, value * 10, Math.trunc(value / 10)]) {
          const expected = near >= minimum && near <= maximum;
          expect([near, accepts(grammar, String(near))]).toEqual([near, expected]);
        }
      }
    }
  });

  it.each<[Schema, number, boolean]>([
    [{ minimum: 18 }, 999_999_999_999_999, true],
    [{ minimum: 18 }, 17, false],
    [{ maximum: -1 }, 0, false],
    [{ maximum: -1 }, -999_999_999_999_999, true],
    [{ exclusiveMinimum: 0, exclusiveMaximum: 2.5 }, 0, false],
    [{ exclusiveMinimum: 0, exclusiveMaximum: 2.5 }, 2, true],
    [{ exclusiveMinimum: 0, exclusiveMaximum: 3 }, 3, false],
    [{ minimum: -1e300, maximum: 1e300 }, -5, true],
  ])('an integer with %j: %s is in it: %j', (bounds, value, expected) => {
    const grammar = grammarOfSchema({ type: ['integer', 'null'], ...bounds });
    expect(accepts(grammar, String(value))).toBe(expected);
    expect(accepts(grammar, 'null')).toBe(true);
  });

  it('counts each of lists that are in each other', () => {
    const list = (items: Schema): Schema => ({ type: 'array', items, maxItems: 3 });
    const grammar = grammarOfSchema(list(list({ type: 'string' })));
    expect(accepts(grammar, '[["a","b","c"],["a"],["b"]]')).toBe(true);
    expect(accepts(grammar, '[["a","b","c"],["a"],"b"]')).toBe(false);
  });

  it('refuses circles and schemas without an end', () => {
    expect(
      () =>
        new Automaton(grammarOfSchema({ $defs: { a: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' })),
    ).toThrow(/begins with itself/);
    let deep: Schema = { type: 'null' };
    for (let i = 0; i < 100; i++) deep = { type: 'array', items: deep };
    expect(() => grammarOfSchema(deep)).toThrow(/deeper/);
    const wide = { anyOf: Array.from({ length: 6000 }, () => ({ type: 'null' })) };
    expect(() => grammarOfSchema(wide)).toThrow(/more than 5000/);
  });

  it('costs the same for choices that double at each step', () => {
    const item = { type: 'boolean' };
    const $defs = Object.fromEntries(
      Array.from({ length: 50 }, (_, i) => {
        const next = { $ref: `#/$defs/d${i + 1}` };
        return [`d${i}`, i < 49 ? { anyOf: [next, next] } : item];
      }),
    );
    const grammar = grammarOfSchema({ $ref: '#/$defs/d0', $defs });
    expect(accepts(grammar, 'true')).toBe(true);
    expect(accepts(grammar, '1')).toBe(false);
  });

  it('makes one alternative of a type that is listed often', () => {
    const type = Array.from({ length: 6000 }, () => 'string');
    expect(accepts(grammarOfSchema({ type }), '"a"')).toBe(true);
  });

  it('refuses a schema with too many alternatives that begin alike', () => {
    const anyOf = Array.from({ length: 4000 }, (_, i) => ({ type: 'string', maxLength: i + 1 }));
    const automaton = new Automaton(grammarOfSchema({ anyOf }));
    const walk = (): void => {
      let state: State | null = automaton.start;
      for (const byte of Buffer.from(`"${'a'.repeat(20)}`)) state = automaton.step(state!, byte);
    };
    expect(walk).toThrow(/begin alike/);
  });

  it('drops states of a long answer, and continues', () => {
    const text = { type: 'string', maxLength: 10_000 };
    const properties = { a: text, b: text, c: text };
    const grammar = grammarOfSchema({ type: 'object', properties, required: ['a', 'b', 'c'] });
    const automaton = new Automaton(grammar);
    const value = 'x'.repeat(10_000);
    let state: State | null = automaton.start;
    let dropped = 0;
    for (const byte of Buffer.from(JSON.stringify({ a: value, b: value, c: value }))) {
      if (automaton.beginToken()) dropped += 1;
      state = automaton.step(state!, byte);
    }
    expect(dropped).toBeGreaterThan(0);
    expect(state?.accepts).toBe(true);
  });

  it('follows a reference with a per cent sign that is no escape', () => {
    const schema = { $ref: '#/$defs/50%', $defs: { '50%': { const: 1 } } };
    expect(accepts(grammarOfSchema(schema), '1')).toBe(true);
  });
});

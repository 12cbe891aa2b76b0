import { describe, expect, it } from 'vitest';
import { grammarOfSchema } from './json-schema.ts';
import { accepts } from './testing/texts.ts';

const tagged = (kind: string, more: object = {}) => ({
  type: 'object',
  properties: { kind: { const: kind }, ...more },
  required: ['kind'],
});
const object = (required: string[], more: object = {}) => ({
  type: 'object',
  properties: Object.fromEntries(required.map((name) => [name, { type: 'string' }])),
  required,
  ...more,
});
const NUMBER = { type: 'number' };
const SIZE = { size: NUMBER };

describe('alternatives of oneOf', () => {
  it.each<[string, unknown[]]>([
    ['types', [{ type: 'string' }, NUMBER, { type: ['null', 'boolean'] }, { type: 'array' }]],
    ['values', [{ const: 'a' }, { enum: ['b', 1] }, { type: 'null' }, { enum: [2] }]],
    ['a value and a type', [{ const: 'a' }, { type: 'integer' }]],
    ['a value outside a range', [{ const: 3 }, { type: 'integer', minimum: 4 }]],
    ['a tag', [tagged('a', SIZE), tagged('b', SIZE), tagged('c')]],
    ['a tag behind references', [{ $ref: '#/$defs/a' }, { $ref: '#/$defs/b' }]],
    ['names that each requires', [object(['a']), object(['b'])]],
    [
      'a name that one requires',
      [object(['a', 'b']), object(['a'], { additionalProperties: false })],
    ],
    ['the type of a property', [{ ...tagged('a'), properties: { kind: NUMBER } }, tagged('a')]],
    [
      'ranges',
      [
        { type: 'number', maximum: 5 },
        { type: 'number', exclusiveMinimum: 5 },
      ],
    ],
    [
      'lengths',
      [
        { type: 'string', maxLength: 3 },
        { type: 'string', minLength: 4 },
      ],
    ],
    [
      'counts',
      [
        { type: 'array', maxItems: 1 },
        { type: 'array', minItems: 2 },
      ],
    ],
    ['their alternatives', [{ anyOf: [{ const: 1 }, { const: 2 }] }, { type: 'string' }]],
  ])('may be distinguished by %s', (_, oneOf) => {
    const $defs = { a: tagged('a'), b: tagged('b') };
    expect(grammarOfSchema({ oneOf, $defs })).toBeDefined();
  });

  it.each<[string, unknown[], string]>([
    ['a whole number is a number', [{ type: 'integer' }, NUMBER], '0 and 1'],
    ['they are the same', [{ type: 'null' }, { type: 'string' }, { type: 'null' }], '0 and 2'],
    ['a value has the type', [{ const: 7 }, { type: 'integer' }], '0 and 1'],
    ['the tag may be absent', [{ ...tagged('a'), required: [] }, tagged('b')], '0 and 1'],
    ['further names are allowed', [object(['a', 'b']), object(['a'])], '0 and 1'],
    ['any object fits', [tagged('a'), { type: 'object' }], '0 and 1'],
    ['anything fits', [{ type: 'string' }, {}], '0 and 1'],
    [
      'ranges meet',
      [
        { ...NUMBER, maximum: 5 },
        { ...NUMBER, minimum: 5 },
      ],
      '0 and 1',
    ],
    ['lists may be empty', [{ type: 'array', items: NUMBER }, { type: 'array' }], '0 and 1'],
    ['a reference leads to itself', [{ $ref: '#/$defs/a' }, { $ref: '#/$defs/a' }], '0 and 1'],
  ])('are refused where %s', (_, oneOf, both) => {
    const $defs = { a: { anyOf: [{ $ref: '#/$defs/a' }, { type: 'null' }] } };
    expect(() => grammarOfSchema({ oneOf, $defs })).toThrow(
      expect.objectContaining({
        code: 'GENERATION_UNSUPPORTED',
        message: expect.stringContaining(
          `has oneOf with alternatives that one answer may fit, ${both},`,
        ),
      }),
    );
    expect(grammarOfSchema({ anyOf: oneOf, $defs })).toBeDefined();
  });

  it('have the type that stands next to them', () => {
    const schema = { type: 'string', oneOf: [{ const: 'a' }, { minLength: 2 }] };
    expect(accepts(grammarOfSchema(schema), '"a"')).toBe(true);
    expect(accepts(grammarOfSchema(schema), '"ab"')).toBe(true);
  });

  it('are compared in bounded time', () => {
    const oneOf = Array.from({ length: 2000 }, (_, i) => tagged(`kind ${i}`));
    expect(() => grammarOfSchema({ oneOf })).toThrow(/one answer may fit/);
    expect(grammarOfSchema({ oneOf: oneOf.slice(0, 150) })).toBeDefined();
  });
});

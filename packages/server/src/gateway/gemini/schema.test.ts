import { expect, test } from 'vitest';
import { jsonSchemaOf } from './schema.ts';

test('a schema of OpenAPI becomes JSON Schema', () => {
  expect(
    jsonSchemaOf({
      type: 'OBJECT',
      properties: {
        type: { type: 'STRING', format: 'enum', enum: ['a'], nullable: true, example: 'a' },
        list: {
          type: 'ARRAY',
          items: { type: 'INTEGER', nullable: true },
          min_items: '1',
          maxItems: 2,
        },
        either: { any_of: [{ type: 'STRING', maxLength: '5' }], nullable: true },
        any: { type: 'TYPE_UNSPECIFIED' },
      },
      propertyOrdering: ['list', 'type', 'missing'],
      required: ['list'],
    }),
  ).toEqual({
    type: 'object',
    properties: {
      list: { type: 'array', items: { type: ['integer', 'null'] }, minItems: 1, maxItems: 2 },
      type: { type: ['string', 'null'], enum: ['a', null] },
      either: { anyOf: [{ type: 'string', maxLength: 5 }, { type: 'null' }] },
      any: {},
    },
    required: ['list'],
  });
});

test('the properties keep their names, and come in the order that is asked for', () => {
  const properties = { first_name: { type: 'STRING' }, id: { type: 'INTEGER' } };
  const { properties: converted } = jsonSchemaOf({ properties, propertyOrdering: ['id'] });
  expect(Object.keys(converted as object)).toEqual(['id', 'first_name']);
});

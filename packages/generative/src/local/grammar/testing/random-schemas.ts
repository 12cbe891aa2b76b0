/** Random schemas of what grammars keep. */
import type { Random } from '@skein/onnx';
import { FORMATS } from '../formats.ts';

type Schema = Record<string, unknown>;

const KEYS = ['a', 'b', 'ü', 'k"q', 'a b', '\u0007', '1', '0', 'length', '$ref', 'type'];
const VALUES = [
  0,
  1,
  -1.5,
  1e21,
  1e-7,
  'x',
  '',
  null,
  true,
  [],
  [1, 'a'],
  {},
  { a: [{}] },
  '😀"\\',
];
const STEPS = [1, 2, 3, 7, 10, 0.5, 0.25, 0.1, 0.01];
/** Formats of numbers constrain a text little. */
const OF_STRINGS = FORMATS.filter((name) => !/int|float|double/.test(name));

/** @param deep how many schemas may be inside of each other. */
export function randomSchema(random: Random, deep: number): Schema {
  const below = (most: number) => Math.floor(random.next() * most);
  const maybe = (share = 0.5) => random.next() < share;
  const one = <T>(of: readonly T[]): T => of[below(of.length)]!;
  const inside = () => randomSchema(random, deep - 1);

  const kinds: readonly (() => Schema)[] = [
    () => ({
      type: 'string',
      ...(maybe() && { minLength: below(4) }),
      ...(maybe() && { maxLength: 3 + below(5) }),
    }),
    () => {
      const type = one(['integer', 'number']);
      const least = type === 'integer' ? below(400) - 200 : below(400) / 8 - 20;
      return {
        type,
        ...(maybe() && { minimum: least }),
        ...(maybe() && { maximum: least + below(60) }),
        ...(maybe(0.2) && { multipleOf: one(STEPS) }),
      };
    },
    () => ({ type: one(['boolean', 'null']) }),
    () => ({ const: one(VALUES) }),
    () => ({ enum: Array.from({ length: 1 + below(4) }, () => one(VALUES)) }),
    () => ({ type: ['string', 'null', 'integer'].slice(below(3)) }),
    () => ({ type: 'string', format: one(OF_STRINGS) }),
    () => (maybe() ? {} : { type: one(['object', 'array']) }),
    () => {
      const keys = KEYS.filter(() => maybe(0.25));
      return {
        type: 'object',
        properties: Object.fromEntries(keys.map((key) => [key, inside()])),
        required: keys.filter(() => maybe()),
        ...(maybe() && { additionalProperties: false }),
      };
    },
    () => ({ type: 'object', additionalProperties: inside() }),
    // Bounded lists in bounded lists count at once.
    () => ({
      type: 'array',
      items: inside(),
      ...(maybe() && { minItems: below(3) }),
      ...(maybe() && { maxItems: 3 + below(3) }),
    }),
    () => ({ anyOf: [inside(), inside()] }),
    () => ({ oneOf: [inside(), inside()] }),
  ];
  const SIMPLE = 8;
  return kinds[below(deep > 0 ? kinds.length : SIMPLE)]!();
}

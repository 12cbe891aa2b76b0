/** References of schemas: what they cost, and where they may lead. */
import { referredIn } from '@skein/generative';
import { expect, it } from 'vitest';
import { schemaAt } from './schema.ts';

/** A chain of references, `a0` to the last, which is a string. */
const chain = (length: number) =>
  Object.fromEntries(
    Array.from({ length }, (_, index) => [
      `a${index}`,
      index === length - 1 ? { type: 'string' } : { $ref: `#/$defs/a${index + 1}` },
    ]),
  );

it('takes 16 references that follow each other, in any order, and no more', () => {
  const schema = (length: number, isFromEnd: boolean) => {
    const entries = Object.entries(chain(length));
    return { $defs: Object.fromEntries(isFromEnd ? entries.toReversed() : entries) };
  };
  for (const isFromEnd of [false, true]) {
    expect(() => schemaAt(schema(17, isFromEnd), 'x')).not.toThrow();
    expect(() => schemaAt(schema(18, isFromEnd), 'x')).toThrow(/leads to itself/);
  }
  expect(() => schemaAt({ $ref: '#' }, 'x')).toThrow(/leads to itself/);
  expect(() => schemaAt({ $ref: '#/a/b' }, 'x')).toThrow(/nothing at its reference/);
});

it('resolves each schema of a chain once, however many references lead to it', () => {
  let reads = 0;
  const counted = ($ref: string): object =>
    Object.defineProperty({}, '$ref', { enumerable: true, get: () => (reads++, $ref) });
  const links = Object.entries(chain(16)).map(([name, { $ref }]) => [
    name,
    $ref === undefined ? {} : counted($ref),
  ]);
  const users = Array.from({ length: 2500 }, () => counted('#/$defs/a0'));
  schemaAt({ $defs: Object.fromEntries(links), anyOf: users }, 'x');
  // One to write it, one or two to follow it, one to look into it.
  expect(reads).toBeLessThan(6 * users.length);
});

it('takes a step that is no escape, or no UTF-8, as it stands', () => {
  const names = ['%', '%zz', '%ff', 'ü%ff', 'a%'];
  const root = Object.fromEntries(names.map((name, index) => [name, index]));
  for (const [index, name] of names.entries()) expect(referredIn(root, `#/${name}`)).toBe(index);
  const others = { ü: 1, 'a b': 2, 'ü b': 3, 'a/b': 4, '~': 5 };
  expect(
    ['%C3%BC', 'a%20b', 'ü%20b', 'a~1b', '~0'].map((step) => referredIn(others, `#/${step}`)),
  ).toEqual([1, 2, 3, 4, 5]);
});

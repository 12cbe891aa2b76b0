import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Automaton, type State } from './automaton.ts';
import { grammarOfSchema } from './json-schema.ts';
import { inUnits, placesOf } from './number-range.ts';

type Schema = Record<string, unknown>;

function accepts(schema: Schema, text: string): boolean {
  const automaton = new Automaton(grammarOfSchema(schema));
  let state: State | null = automaton.start;
  for (const byte of Buffer.from(text)) if (state) state = automaton.step(state, byte);
  return state?.accepts === true;
}

/** Every text of a finite grammar. A beginning without an end is an error. */
function textsOf(schema: Schema): string[] {
  const automaton = new Automaton(grammarOfSchema(schema));
  const texts: string[] = [];
  const walk = (state: State, text: string): void => {
    automaton.beginToken();
    if (state.accepts) texts.push(text);
    let isLast = true;
    for (const character of '-.0123456789eE+') {
      const next = automaton.step(state, character.codePointAt(0)!);
      if (next === null) continue;
      isLast = false;
      walk(next, text + character);
    }
    if (isLast && !state.accepts) throw new Error(`nothing can follow ${JSON.stringify(text)}`);
  };
  walk(automaton.start, '');
  return texts;
}

/** Decimals of up to so many places from −20 to 20, zeros at the end among them; zero without a sign. */
function decimals(places: number): string[] {
  const texts = new Set<string>();
  for (let each = 0; each <= places; each++) {
    const units = 10 ** each;
    for (let n = -20 * units; n <= 20 * units; n++) {
      const text = (n / units).toFixed(each);
      if (Number(text) !== 0 || !text.startsWith('-')) texts.add(text);
    }
  }
  return [...texts];
}
const ALL = decimals(2);

it('are the decimals within the bounds that are multiples, and no others', () => {
  const bound = fc.integer({ min: -1500, max: 1500 }).map((n) => n / 100);
  const step = fc.constantFrom(0.01, 0.02, 0.05, 0.25, 0.3, 0.5, 0.75, 1, 1.5, 3, 7);
  fc.assert(
    fc.property(bound, bound, step, fc.boolean(), fc.boolean(), (a, b, multipleOf, open, shut) => {
      const [low, high] = [Math.min(a, b), Math.max(a, b)];
      const [hundredths, unit] = [
        (text: string) => Math.round(Number(text) * 100),
        Math.round(multipleOf * 100),
      ];
      const [from, to] = [hundredths(String(low)), hundredths(String(high))];
      const places = placesOf(multipleOf);
      const expected = ALL.filter((text) => {
        const n = hundredths(text);
        const isAbove = open ? n > from : n >= from;
        const isBelow = shut ? n < to : n <= to;
        const written = text.split('.')[1]?.length ?? 0;
        return isAbove && isBelow && n % unit === 0 && written <= places;
      });
      const schema = {
        type: 'number',
        [open ? 'exclusiveMinimum' : 'minimum']: low,
        [shut ? 'exclusiveMaximum' : 'maximum']: high,
        multipleOf,
      };
      if (expected.length === 0) expect(() => grammarOfSchema(schema)).toThrow(/no number/);
      else expect(textsOf(schema).toSorted()).toEqual(expected.toSorted());
    }),
    { numRuns: 60, seed: 11 },
  );
});

it.each<[Schema, string, boolean]>([
  [{ minimum: 0 }, '0', true],
  [{ minimum: 0 }, '19.99', true],
  [{ minimum: 0 }, '999999999.999999', true],
  [{ minimum: 0 }, '-0.000001', false],
  [{ minimum: 0 }, '-0', false],
  [{ minimum: 0 }, '1e3', false],
  [{ exclusiveMinimum: 0 }, '0', false],
  [{ exclusiveMinimum: 0 }, '0.000', false],
  [{ exclusiveMinimum: 0 }, '0.000001', true],
  [{ minimum: 0, maximum: 1 }, '0.12345678901234', true],
  [{ minimum: 0, maximum: 1 }, '1.00000000000000', true],
  [{ minimum: 0, maximum: 1 }, '1.00000000000001', false],
  [{ minimum: 0, maximum: 1 }, '00.5', false],
  [{ minimum: 0, maximum: 1 }, '.5', false],
  [{ minimum: 0, maximum: 1 }, '0.', false],
  [{ maximum: 273.15 }, '-273.15', true],
  [{ maximum: -273.15 }, '-273.14', false],
  [{ exclusiveMaximum: 0.30000000000000004 }, '0.3', true],
  [{ minimum: -1e300, maximum: 1e300 }, '-5', true],
  [{ minimum: 1e-7, maximum: 1 }, '0.0000001', true],
  [{ minimum: 1e-7, maximum: 1 }, '0.00000009', false],
  [{ multipleOf: 0.01 }, '-19.99', true],
  [{ multipleOf: 0.01 }, '19.999', false],
  [{ multipleOf: 1e-7 }, '0.0000001', true],
  [{ type: 'integer', multipleOf: 5 }, '-999999999999995', true],
  [{ type: 'integer', multipleOf: 5 }, '12', false],
  [{ type: 'integer', multipleOf: 5, minimum: 1, maximum: 9 }, '5', true],
  [{ type: 'integer', multipleOf: 5, minimum: 1, maximum: 9 }, '0', false],
  [{ type: 'integer', multipleOf: 1.5 }, '3', true],
  [{ type: 'integer', multipleOf: 1.5 }, '1.5', false],
  [{ type: 'integer', multipleOf: 1.5 }, '2', false],
  [{ type: 'integer', multipleOf: 0.5 }, '7', true],
])('%j: %s is in it: %j', (schema, text, expected) => {
  expect(accepts({ type: 'number', ...schema }, text)).toBe(expected);
});

it('has no rule that grows with its step', () => {
  expect(accepts({ type: 'integer', multipleOf: 99_999_999_999_999 }, '199999999999998')).toBe(
    true,
  );
  expect(accepts({ type: 'integer', multipleOf: 99_999_999_999_999 }, '199999999999997')).toBe(
    false,
  );
});

it('counts in units exactly', () => {
  expect(inUnits(0.1 + 0.2, 1, 'up')).toBe(4n);
  expect(inUnits(0.1 + 0.2, 1, 'down')).toBe(3n);
  expect(inUnits(-1.5e-7, 7, 'down')).toBe(-2n);
  expect(inUnits(-1.5e-7, 7, 'up')).toBe(-1n);
  expect(inUnits(1e21, 0, 'down')).toBe(10n ** 21n);
  expect([0.25, 1e-7, 1.5e-7, 100, 1e21].map(placesOf)).toEqual([2, 7, 8, 0, 0]);
});

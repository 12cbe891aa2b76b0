import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SkeinError } from '@skein/api';
import { carve, parseCarved, type CarvedArray } from './json-carve.ts';

function parse(bytes: Buffer): { value: unknown; arrays: readonly CarvedArray[] } {
  const carved = carve(bytes, bytes.length);
  return { value: parseCarved(carved, bytes, bytes.length), arrays: carved.arrays };
}

/** Puts the arrays back where they were cut out. */
function restore(bytes: Buffer): unknown {
  const { value, arrays } = parse(bytes);
  const inputs = (value as { inputs?: unknown } | null)?.inputs;
  if (Array.isArray(inputs)) {
    for (const input of inputs as { data?: unknown }[]) {
      const { data } = input;
      if (!Array.isArray(data)) continue;
      const array = arrays[data[0] as number];
      if (array === undefined) throw new Error('An array was not carved.');
      input.data = JSON.parse(bytes.toString('utf8', array.start, array.end));
    }
  }
  return value;
}

const data = fc.oneof(
  fc.array(fc.double({ noNaN: true, noDefaultInfinity: true })),
  fc.array(fc.array(fc.integer())),
  fc.array(fc.string({ unit: 'binary' })),
  fc.array(fc.constantFrom('"', '\\', ']', '[', '{', '}', '":', 'data', ',')),
  fc.constant(7),
  fc.constant(null),
);
/** Objects whose keys and values look like data but are not. */
const decoy = fc.dictionary(
  fc.constantFrom('data', 'inputs', 'x"', 'a\\', 'ключ'),
  fc.oneof(
    fc.constantFrom('data', '"data":[1]', 1, null, true),
    fc.constant([1, 2]),
    fc.constant({ data: [3] }),
    fc.constant([{ data: [4] }]),
  ),
);
const input = fc
  .record(
    { name: fc.string({ unit: 'binary' }), shape: fc.array(fc.nat()), data, parameters: decoy },
    { requiredKeys: [] },
  )
  .chain((fields) => fc.shuffledSubarray(Object.entries(fields), { minLength: 0 }))
  .map((entries) => Object.fromEntries(entries));
const request = fc
  .record(
    {
      id: fc.string({ unit: 'binary' }),
      parameters: decoy,
      inputs: fc.array(input, { maxLength: 4 }),
      outputs: fc.array(decoy, { maxLength: 2 }),
    },
    { requiredKeys: [] },
  )
  .chain((fields) => fc.shuffledSubarray(Object.entries(fields), { minLength: 0 }))
  .map((entries) => Object.fromEntries(entries));

test('the rest and the arrays together equal the result of JSON.parse', () => {
  fc.assert(
    fc.property(request, fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
      // Outputs with data are carved too and stay carved; the protocol has none.
      if (JSON.stringify(value['outputs'])?.includes('data')) delete value['outputs'];
      const text = JSON.stringify(value, undefined, indent);
      expect(restore(Buffer.from(text))).toEqual(JSON.parse(text));
    }),
    { numRuns: 2000 },
  );
});

test('any JSON value is parsed', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), (text) => {
      const bytes = Buffer.from(text);
      expect(() => parse(bytes)).not.toThrow();
    }),
  );
});

test('invalid text is refused as by JSON.parse, or has an unused array', () => {
  const fragment = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '"data"',
    '"inputs"',
    '\\',
    '1',
    ' ',
    'x',
    '"a"',
    '{"inputs":[{"data":[',
  );
  fc.assert(
    fc.property(fc.array(fragment, { maxLength: 20 }), (parts) => {
      const bytes = Buffer.from(parts.join(''));
      let valid = true;
      try {
        JSON.parse(bytes.toString());
      } catch {
        valid = false;
      }
      try {
        const { arrays } = parse(bytes);
        if (!valid) expect(arrays.length).toBeGreaterThan(0);
      } catch (error) {
        expect(error).toBeInstanceOf(SkeinError);
        expect((error as SkeinError).code).toBe('BODY_NOT_JSON');
        expect(valid).toBe(false);
      }
    }),
    { numRuns: 5000 },
  );
});

describe('keys', () => {
  test('an escaped spelling of the key `data` counts as `data`', () => {
    const text = String.raw`{"inputs":[{"d\u0061ta":[1,2]}]}`;
    expect(restore(Buffer.from(text))).toEqual({ inputs: [{ data: [1, 2] }] });
  });

  test('of two equal keys, the last one counts, as in JSON.parse', () => {
    expect(restore(Buffer.from('{"inputs":[{"data":[1],"data":[2]}]}'))).toEqual({
      inputs: [{ data: [2] }],
    });
  });

  test('a request with megabytes outside its data is refused', () => {
    const bytes = Buffer.from(`{"x":[${'0,'.repeat(3_000_000)}0]}`);
    expect(() => parse(bytes)).toThrow(/more than 50000 values/);
    const long = Buffer.from(`{"x":"${'0'.repeat(5_000_000)}"}`);
    expect(() => parse(long)).toThrow(/outside the data/);
  });

  test('the parser’s position is a position in the whole body', () => {
    const bytes = Buffer.from('{"inputs":[{"data":[1,2,3,4,5,6,7,8,9]}],}');
    expect(() => parse(bytes)).toThrow(/position 41/);
  });
});

test('more inputs than a request may have are refused before the rest is read', () => {
  const inputs = Buffer.from(`{"inputs":[${'{"name":"x","data":[1]},'.repeat(60_000)}"`);
  // The text that does not end is behind them.
  expect(() => carve(inputs, inputs.length)).toThrow('The JSON has more than 50000 values.');
});

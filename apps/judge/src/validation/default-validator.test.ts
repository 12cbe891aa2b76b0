import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareOutput, parseFlags } from './default-validator.ts';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
const accepts = (output: string, answer: string, ...flags: string[]): boolean =>
  compareOutput(bytes(output), bytes(answer), parseFlags(flags)).accepted;

/** The format's words, read literally: split, then compare token by token. */
function naive(output: string, answer: string, flags: readonly string[]): boolean {
  const tokens = (text: string) => text.split(/[ \f\n\r\t\v]+/).filter((token) => token !== '');
  const spaces = (text: string) => text.split(/[^ \f\n\r\t\v]+/);
  const value = (name: string) =>
    flags.includes(name) ? Number(flags[flags.indexOf(name) + 1]) : undefined;
  const absolute = value('float_absolute_tolerance') ?? value('float_tolerance');
  const relative = value('float_relative_tolerance') ?? value('float_tolerance');
  const ours = tokens(output);
  const theirs = tokens(answer);
  if (ours.length !== theirs.length) return false;
  if (
    flags.includes('space_change_sensitive') &&
    JSON.stringify(spaces(output)) !== JSON.stringify(spaces(answer))
  ) {
    return false;
  }
  const float = /^[+-]?([0-9]*\.[0-9]+|[0-9]+\.|[0-9]+)([Ee][+-]?[0-9]+)?$/;
  const lower = (text: string) => text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
  return theirs.every((expected, i) => {
    const given = ours[i] ?? '';
    if ((absolute !== undefined || relative !== undefined) && float.test(expected)) {
      if (!float.test(given)) return false;
      const [s, a] = [Number(given), Number(expected)];
      return (
        (absolute !== undefined && Math.abs(s - a) <= absolute) ||
        (relative !== undefined && Math.abs(s - a) <= relative * Math.abs(a))
      );
    }
    return flags.includes('case_sensitive') ? given === expected : lower(given) === lower(expected);
  });
}

const token = fc.constantFrom(
  ...'a A b Yes yes 1 1.0 1. .5 0.5 1e0 1E0 -1 +1 1.001'.split(' '),
  ...'100 100.05 0 -0 nan inf 0x1 é 1_0 1,0 1e --1 .'.split(' '),
);
const space = fc.constantFrom(' ', '\n', '\t', '  ', '\r\n', '\f', '\v', ' \n');
const text = fc
  .tuple(fc.constantFrom('', ' ', '\n'), fc.array(fc.tuple(token, space), { maxLength: 4 }))
  .map(([lead, pairs]) => lead + pairs.flat().join(''));
const flags = fc
  .tuple(
    fc.constantFrom([], ['case_sensitive']),
    fc.constantFrom([], ['space_change_sensitive']),
    fc.constantFrom<string[]>(
      [],
      ['float_tolerance', '1e-3'],
      ['float_absolute_tolerance', '0.1'],
      ['float_relative_tolerance', '1e-3'],
      ['float_absolute_tolerance', '1e-9', 'float_relative_tolerance', '0.01'],
    ),
  )
  .map((parts) => parts.flat());

describe('the default validator', () => {
  it('agrees with a naive reading of the format, on unrelated texts', () => {
    fc.assert(
      fc.property(text, text, flags, (output, answer, given) => {
        expect(accepts(output, answer, ...given)).toBe(naive(output, answer, given));
      }),
      { numRuns: 3000 },
    );
  });

  it('agrees with a naive reading of the format, on texts that differ in one place', () => {
    const near = fc
      .tuple(text, fc.nat(), fc.constantFrom('', ' ', 'A', '1', '\n'))
      .map(([answer, at, change]) => {
        const i = at % (answer.length + 1);
        return [answer.slice(0, i) + change + answer.slice(i + 1), answer] as const;
      });
    fc.assert(
      fc.property(near, flags, ([output, answer], given) => {
        expect(accepts(output, answer, ...given)).toBe(naive(output, answer, given));
      }),
      { numRuns: 3000 },
    );
  });

  it('names the place where the output differs', () => {
    const result = compareOutput(bytes('1\n2 5\n'), bytes('1\n2 3\n'), parseFlags([]));
    expect(result).toEqual({
      accepted: false,
      message: 'line 2: token 3: "5" where "3" is expected',
    });
    const long = compareOutput(bytes(`${'x'.repeat(1e6)}\u0007`), bytes('y'), parseFlags([]));
    expect(long.accepted ? '' : long.message.length).toBeLessThan(120);
  });

  it('takes numbers beyond a double for near nothing but themselves', () => {
    expect(accepts('1e999', '1e999', 'float_tolerance', '1e-6')).toBe(true);
    expect(accepts('5', '1e999', 'float_tolerance', '1e-6')).toBe(false);
    expect(accepts('1e999', '5', 'float_tolerance', '1e-6')).toBe(false);
  });

  it('reads a number with thirty digits on either side of the point', () => {
    const digits = '123456789012345678901234567890';
    expect(accepts(`${digits}.${digits}`, `${digits}.${digits}1`, 'float_tolerance', '1e-9')).toBe(
      true,
    );
  });

  it('reads eight megabytes of hostile output in one pass', () => {
    const output = new Uint8Array(8 * 2 ** 20).fill(0x20);
    expect(compareOutput(output, bytes('1'), parseFlags([])).accepted).toBe(false);
    output.fill(0x31);
    expect(compareOutput(output, bytes('1'), parseFlags(['float_tolerance', '1'])).accepted).toBe(
      false,
    );
  });

  it.each([
    [['float_tolerance']],
    [['float_tolerance', 'x']],
    [['float_tolerance', '-1']],
    [['float_tolerance', '1', 'float_tolerance', '1']],
    [['float_tolerance', '1', 'float_absolute_tolerance', '1']],
    [['ignore_case']],
  ])('refuses the flags %j', (given) => {
    expect(() => parseFlags(given)).toThrow(expect.objectContaining({ code: 'PROBLEM_INVALID' }));
  });
});

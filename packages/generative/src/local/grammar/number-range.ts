/**
 * Numbers within bounds, and multiples of a step, as decimals without an exponent. They are counted in
 * units of their last place, so that every range is one of integers:
 *
 *   0.5 ≤ x < 2, multiples of 0.25   is   50 ≤ n ≤ 199, n ≡ 0 (mod 25), in hundredths
 *
 * A double holds each decimal of 15 digits, and in their order: what keeps the bounds as a text keeps
 * them as a number. A digit may come only where a multiple within the bounds still begins like this.
 */
import { byte, choice, digit, DIGITS, runOfDigits, type Sequence, text } from './json-text.ts';

export interface NumberRange {
  /** In units, of at most `DIGITS` digits. */
  readonly least: number;
  readonly most: number;
  /** Digits after the point at most: a unit is 10^−places. */
  readonly places: number;
  /** In units, below 10^(DIGITS − 1). */
  readonly step: number;
}

const FIRST_DIGIT = 0x30;

/** @returns undefined: no such number has `DIGITS` digits. Zero has no sign. */
export function numbersWithin({ least, most, places, step }: NumberRange): Sequence | undefined {
  /** By what they may still become: equal rests are one rule. */
  const rules = new Map<string, Sequence>();
  const options = [
    ...(least < 0
      ? magnitudes(Math.max(1, -most), -least).map((each) => [...text('-'), ...each])
      : []),
    ...(most >= 0 ? magnitudes(Math.max(0, least), most) : []),
  ];
  return options.length === 0 ? undefined : [choice(() => options)];

  /** One sequence for each count of digits before the point. */
  function magnitudes(from: number, to: number): Sequence[] {
    const sequences: Sequence[] = [];
    for (let whole = 1; whole + places <= DIGITS; whole++) {
      const low = Math.max(from, whole === 1 ? 0 : 10 ** (whole - 1 + places));
      const high = Math.min(to, 10 ** (whole + places) - 1);
      const [lows, highs] = [low, high].map((n) => String(n).padStart(whole + places, '0'));
      if (low > high || !hasMultiple(lows!, highs!, 0)) continue;
      sequences.push(rest(lows!, highs!, 0));
    }
    return sequences;
  }

  /**
   * The digits that are still to come, the point among them.
   *
   * @param low and `high`: digits of the least and the greatest of them; @param remainder by the step, of
   *   the digits before.
   */
  function rest(low: string, high: string, remainder: number): Sequence {
    if (low === '') return [];
    if (step === 1 && isZero(low) && /^9*$/.test(high)) return anyDigits(low.length);
    const key = `${low} ${high} ${remainder}`;
    let rule = rules.get(key);
    if (rule === undefined) {
      rule = [choice(() => digitsOf(low, high, remainder))];
      rules.set(key, rule);
    }
    return rule;
  }

  function anyDigits(count: number): Sequence {
    if (count < places) return [runOfDigits(0, count)];
    const fraction = [...text('.'), digit, runOfDigits(0, places - 1)];
    const whole = runOfDigits(count - places, count - places);
    return places === 0 ? [whole] : [whole, choice(() => [[], fraction])];
  }

  function digitsOf(low: string, high: string, remainder: number): Sequence[] {
    const count = low.length;
    const [first, last] = [Number(low[0]), Number(high[0])];
    const point = count === places ? text('.') : [];
    const ends = count <= places && isZero(low) && shifted(remainder, count) === 0;
    const sequences: Sequence[] = ends ? [[]] : [];
    let from = first;
    for (let at = first; at <= last; at++) {
      const [lows, highs, left] = after(at);
      // Digits after which the same may come are one set.
      if (at < last && after(at + 1).join(' ') === `${lows} ${highs} ${left}`) continue;
      if (hasMultiple(lows, highs, left)) {
        const set = byte([FIRST_DIGIT + from, FIRST_DIGIT + at]);
        sequences.push([...point, set, ...rest(lows, highs, left)]);
      }
      from = at + 1;
    }
    return sequences;

    function after(at: number): [low: string, high: string, remainder: number] {
      return [
        at === first ? low.slice(1) : '0'.repeat(count - 1),
        at === last ? high.slice(1) : '9'.repeat(count - 1),
        (remainder * 10 + at) % step,
      ];
    }
  }

  /** Whether digits from `low` to `high`, after digits with this remainder, make a multiple of the step. */
  function hasMultiple(low: string, high: string, remainder: number): boolean {
    const over = (Number(low) + shifted(remainder, low.length)) % step;
    return over === 0 || Number(low) + step - over <= Number(high);
  }

  /** The remainder with so many zeros behind its digits. */
  function shifted(remainder: number, zeros: number): number {
    let result = remainder;
    for (let i = 0; i < zeros && result > 0; i++) result = (result * 10) % step;
    return result;
  }
}

const isZero = (digits: string): boolean => /^0*$/.test(digits);

/** Digits after the point of a number as JavaScript writes it. */
export function placesOf(value: number): number {
  const { fraction, exponent } = partsOf(value);
  return Math.max(0, fraction.length - exponent);
}

/** A number in units of 10^−places, exactly, as JavaScript writes it; rounded towards −∞ or +∞. */
export function inUnits(value: number, places: number, towards: 'down' | 'up'): bigint {
  const { sign, whole, fraction, exponent } = partsOf(value);
  const digits = BigInt(sign + whole + fraction);
  const shift = exponent - fraction.length + places;
  if (shift >= 0) return digits * 10n ** BigInt(shift);
  const divisor = 10n ** BigInt(-shift);
  const quotient = digits / divisor;
  const isExact = quotient * divisor === digits;
  if (isExact) return quotient;
  if (towards === 'down') return digits < 0n ? quotient - 1n : quotient;
  return digits < 0n ? quotient : quotient + 1n;
}

function partsOf(value: number) {
  const [, sign = '', whole = '0', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value)) ?? [];
  return { sign, whole, fraction, exponent: Number(exponent) };
}

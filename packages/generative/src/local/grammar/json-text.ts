/** The grammar of JSON (RFC 8259), in bytes: only valid UTF-8, and no more white space than one line needs. */
import type { GrammarSymbol } from './automaton.ts';

export type Sequence = readonly GrammarSymbol[];

/** Bytes by inclusive ranges. */
export function byte(...ranges: readonly (readonly [number, number])[]): GrammarSymbol {
  const set = new Uint8Array(256);
  for (const [from, to] of ranges) set.fill(1, from, to + 1);
  return { kind: 'byte', set };
}

export function text(value: string): Sequence {
  return [...new TextEncoder().encode(value)].map((each) => byte([each, each]));
}

/** Made once, when the automaton first needs it. */
export function choice(make: () => readonly Sequence[]): GrammarSymbol {
  let options: readonly Sequence[] | undefined;
  return { kind: 'choice', options: () => (options ??= make()) };
}

export const oneOf = (options: readonly Sequence[]): Sequence => [choice(() => options)];

export function repeat(item: Sequence, least: number, most: number): GrammarSymbol {
  return { kind: 'repeat', item, least, most };
}

const tail = byte([0x80, 0xbf]);
const hex = byte([0x30, 0x39], [0x41, 0x46], [0x61, 0x66]);
const QUOTE = text('"');

/** One character of a string: not a control character, quote or backslash, or escaped. Surrogates come in pairs. */
const CHARACTER = choice(() => [
  [byte([0x20, 0x21], [0x23, 0x5b], [0x5d, 0x7f])],
  [byte([0xc2, 0xdf]), tail],
  [byte([0xe0, 0xe0]), byte([0xa0, 0xbf]), tail],
  [byte([0xe1, 0xec], [0xee, 0xef]), tail, tail],
  [byte([0xed, 0xed]), byte([0x80, 0x9f]), tail],
  [byte([0xf0, 0xf0]), byte([0x90, 0xbf]), tail, tail],
  [byte([0xf1, 0xf3]), tail, tail, tail],
  [byte([0xf4, 0xf4]), byte([0x80, 0x8f]), tail, tail],
  [
    ...text('\\'),
    byte(...Array.from(new TextEncoder().encode('"\\/bfnrt'), (each) => [each, each] as const)),
  ],
  [
    ...text('\\u'),
    byte([0x30, 0x39], [0x41, 0x43], [0x45, 0x46], [0x61, 0x63], [0x65, 0x66]),
    hex,
    hex,
    hex,
  ],
  [...text('\\u'), byte([0x44, 0x44], [0x64, 0x64]), byte([0x30, 0x37]), hex, hex],
  [
    ...text('\\u'),
    byte([0x44, 0x44], [0x64, 0x64]),
    byte([0x38, 0x39], [0x41, 0x42], [0x61, 0x62]),
    hex,
    hex,
    ...text('\\u'),
    byte([0x44, 0x44], [0x64, 0x64]),
    byte([0x43, 0x46], [0x63, 0x66]),
    hex,
    hex,
  ],
]);
/** One array for all strings: the automaton identifies repetitions by their items. */
const CHARACTERS: Sequence = [CHARACTER];

const LONGEST_LINE = 20;
/** A space, or a line break with its indent. */
export const SPACE = choice(() => [
  [],
  text(' '),
  [...text('\n'), repeat(text(' '), 0, LONGEST_LINE)],
]);

/** Digits that a double holds. */
export const DIGITS = 15;
export const digit = byte([0x30, 0x39]);
const digits: Sequence = [digit];

export const runOfDigits = (least: number, most: number): GrammarSymbol =>
  repeat(digits, least, most);
const natural = choice(() => [text('0'), [byte([0x31, 0x39]), runOfDigits(0, DIGITS - 1)]]);
const sign = choice(() => [[], text('-')]);

export const INTEGER: Sequence = [sign, natural];
export const NUMBER: Sequence = [
  sign,
  natural,
  choice(() => [[], [...text('.'), digit, runOfDigits(0, DIGITS - 1)]]),
  choice(() => [
    [],
    [
      byte([0x45, 0x45], [0x65, 0x65]),
      choice(() => [[], text('-'), text('+')]),
      digit,
      choice(() => [[], [digit]]),
    ],
  ]),
];

export function string(least = 0, most = Infinity): Sequence {
  return [...QUOTE, repeat(CHARACTERS, least, most), ...QUOTE];
}

const COMMA: Sequence = [...text(','), SPACE];
const COLON: Sequence = [...text(':'), SPACE];

export function array(item: Sequence, least = 0, most = Infinity): Sequence {
  const rest = (from: number, to: number): Sequence => [
    ...item,
    repeat([...COMMA, ...item], from, to),
  ];
  const inside =
    most === 0
      ? [[]]
      : [...(least === 0 ? [[]] : []), [SPACE, ...rest(Math.max(0, least - 1), most - 1), SPACE]];
  return [...text('['), choice(() => inside), ...text(']')];
}

/** Any keys. */
export function map(value: Sequence): Sequence {
  const entry: Sequence = [...string(), ...COLON, ...value];
  return [
    ...text('{'),
    choice(() => [[], [SPACE, ...entry, repeat([...COMMA, ...entry], 0, Infinity), SPACE]]),
    ...text('}'),
  ];
}

export interface Property {
  readonly name: string;
  readonly value: Sequence;
  readonly required: boolean;
}

/** These keys in this order; those that are not required may be left out. */
export function object(properties: readonly Property[]): Sequence {
  const from = (index: number, isFirst: boolean): GrammarSymbol =>
    choice(() => {
      const property = properties[index];
      if (property === undefined) return [isFirst ? [] : [SPACE]];
      const { name, value, required } = property;
      const entry = [
        ...(isFirst ? [SPACE] : COMMA),
        ...text(JSON.stringify(name)),
        ...COLON,
        ...value,
        from(index + 1, false),
      ];
      return required ? [entry] : [entry, [from(index + 1, isFirst)]];
    });
  return [...text('{'), from(0, true), ...text('}')];
}

export const ANY: GrammarSymbol = choice(() => [
  map([ANY]),
  array([ANY]),
  string(),
  NUMBER,
  text('true'),
  text('false'),
  text('null'),
]);
export const ANY_OBJECT: Sequence = map([ANY]);

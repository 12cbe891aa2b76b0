/**
 * The formats of a string in a JSON Schema (draft 2020-12, section 7.3) as patterns, for those that are
 * regular languages. Each is as wide as its RFC, or narrower where readers differ; none needs an escape
 * in JSON.
 */
import { type Node, parse } from '../../redaction/parse.ts';
import { byte, choice, repeat, type Sequence } from './json-text.ts';

/** Every reader takes the year 1; Python's has no year 0. */
const YEAR = String.raw`(?:000[1-9]|00[1-9]\d|0[1-9]\d\d|[1-9]\d{3})`;
const LEAP_YEAR = String.raw`(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)`;
const DAY = String.raw`(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))`;
const DATE = `(?:${YEAR}-${DAY}|${LEAP_YEAR}-02-29)`;
const MINUTES = String.raw`(?:[01]\d|2[0-3]):[0-5]\d`;
/** Without a leap second, which many readers refuse; microseconds, as most count. */
const TIME = String.raw`${MINUTES}:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-]${MINUTES})`;

const OCTET = String.raw`(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])`;
const IPV4 = String.raw`${OCTET}(?:\.${OCTET}){3}`;
const HEX = '[0-9a-fA-F]';
const GROUP = `${HEX}{1,4}`;
/** The last two groups, which may be written as an IPv4 address. */
const PAIR = `(?:${GROUP}:${GROUP}|${IPV4})`;
/** At most so many groups before `::`. */
const groups = (most: number): string =>
  most === 1 ? `(?:${GROUP})?` : `(?:${GROUP}(?::${GROUP}){0,${most - 1}})?`;
/** The alternatives of RFC 3986, section 3.2.2, by the groups after `::`. */
const IPV6 = [
  `(?:${GROUP}:){6}${PAIR}`,
  `::(?:${GROUP}:){5}${PAIR}`,
  ...[4, 3, 2, 1].map((after) => `${groups(5 - after)}::(?:${GROUP}:){${after}}${PAIR}`),
  `${groups(5)}::${PAIR}`,
  `${groups(6)}::${GROUP}`,
  `${groups(7)}::`,
].join('|');

const DIGITS = String.raw`\d{1,9}`;
const SECONDS = `${DIGITS}S`;
const CLOCK = `T(?:${DIGITS}H(?:${DIGITS}M(?:${SECONDS})?)?|${DIGITS}M(?:${SECONDS})?|${SECONDS})`;
const DAYS = `${DIGITS}D`;
const MONTHS = `${DIGITS}M(?:${DAYS})?`;

/** A part of a name, of up to so many characters. */
const label = (most: number): string => `[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,${most - 2}}[a-zA-Z0-9])?`;
/** Few long labels or many short ones, so that the whole has a bounded length. */
const named = (few: string, many: string, short: number): string =>
  String.raw`(?:(?:${label(63)}\.){${few}}${label(61)}|(?:${label(short)}\.){${many}}${label(short)})`;
const ATOM = "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]";

const PATTERNS: ReadonlyMap<string, string> = new Map([
  ['date', DATE],
  ['time', TIME],
  ['date-time', `${DATE}T${TIME}`],
  // RFC 3339, appendix A.
  [
    'duration',
    `P(?:(?:${DAYS}|${MONTHS}|${DIGITS}Y(?:${MONTHS})?)(?:${CLOCK})?|${CLOCK}|${DIGITS}W)`,
  ],
  // RFC 9562, versions 1 to 8.
  ['uuid', `${HEX}{8}-${HEX}{4}-[1-8]${HEX}{3}-[89abAB]${HEX}{3}-${HEX}{12}`],
  ['ipv4', IPV4],
  ['ipv6', IPV6],
  // RFC 1123, of 253 characters at most.
  ['hostname', named('0,3', '4,9', 24)],
  // RFC 5321, of 254 characters at most, without quoted names and addresses in brackets.
  ['email', String.raw`(?:${ATOM}(?:\.?${ATOM}){0,31}|${ATOM}{33,64})@${named('1,2', '3,8', 20)}`],
]);

export const FORMATS: readonly string[] = [...PATTERNS.keys()];

export interface Format {
  /** Without the quotes. */
  readonly text: Sequence;
  /** Characters of its texts. */
  readonly least: number;
  readonly most: number;
}

const compiled = new Map<string, Format>();

/** @returns undefined: it is not among `FORMATS`. */
export function formatOf(name: string): Format | undefined {
  const pattern = PATTERNS.get(name);
  if (pattern === undefined) return undefined;
  let format = compiled.get(name);
  if (format === undefined) compiled.set(name, (format = compile(parse(pattern, false))));
  return format;
}

function compile(node: Node): Format {
  switch (node.kind) {
    case 'set':
      return { text: [byte(...node.ranges)], least: 1, most: 1 };
    case 'sequence':
      return node.items.map(compile).reduce((a, b) => ({
        text: [...a.text, ...b.text],
        least: a.least + b.least,
        most: a.most + b.most,
      }));
    case 'choice': {
      const options = node.options.map(compile);
      const texts = options.map(({ text }) => text);
      return {
        text: [choice(() => texts)],
        least: Math.min(...options.map(({ least }) => least)),
        most: Math.max(...options.map(({ most }) => most)),
      };
    }
    case 'repeat': {
      const { text, least, most } = compile(node.item);
      return {
        text: [repeat(text, node.least, node.most)],
        least: least * node.least,
        most: most * node.most,
      };
    }
    default:
      throw new Error('A format has no edges of words.');
  }
}

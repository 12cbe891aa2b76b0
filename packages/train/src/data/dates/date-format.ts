/**
 * Dates that a table writes as texts, and their parts: numbers from which a network can learn, where
 * the texts themselves would each be a category of its own.
 *
 * The served model reads the same texts by the same pattern (`date-graph.ts`), so patterns keep to what
 * JavaScript and RE2 have in common. The zone of a time is ignored: the parts are as they are written.
 */
export interface DateFormat {
  readonly order: 'ymd' | 'dmy' | 'mdy';
  readonly separator: string;
  /** Before the time; absent: the dates have none. */
  readonly time?: 'T' | ' ';
}

export type DatePart = 'year' | 'month' | 'day' | 'weekday' | 'hour';

/** Input numbers, in the order of the parts that are made of them. */
interface Written {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
}

const PATTERNS = {
  y: '[0-9]{4}',
  m: '(?:0?[1-9]|1[0-2])',
  d: '(?:0?[1-9]|[12][0-9]|3[01])',
} as const;
const TIME = '(?:[01][0-9]|2[0-3]):[0-5][0-9].*';

const FORMATS: readonly DateFormat[] = (
  [
    ['ymd', '-'],
    ['ymd', '/'],
    ['dmy', '.'],
    ['dmy', '/'],
    ['mdy', '/'],
    ['dmy', '-'],
  ] as const
).flatMap(([order, separator]) => [
  { order, separator },
  { order, separator, time: 'T' },
  { order, separator, time: ' ' },
]);

/** The whole text, for JavaScript and RE2. */
export function patternOf({ order, separator, time }: DateFormat): string {
  const between = separator === '.' ? '[.]' : separator;
  const date = order
    .split('')
    .map((each) => PATTERNS[each as keyof typeof PATTERNS])
    .join(between);
  return time === undefined ? date : `${date}${time}${TIME}`;
}

/** The formats that every one of the texts has; two where day and month cannot be distinguished. */
export function formatsOf(texts: readonly string[]): readonly DateFormat[] {
  return FORMATS.filter((format) => {
    const whole = new RegExp(`^${patternOf(format)}$`);
    return texts.every((text) => whole.test(text));
  });
}

export function partNames({ time }: DateFormat): readonly DatePart[] {
  const date = ['year', 'month', 'day', 'weekday'] as const;
  return time === undefined ? date : [...date, 'hour'];
}

/** NaN in each part of a text that is not such a date. */
export function partsOf(format: DateFormat, text: string): readonly number[] {
  const { order, separator, time } = format;
  const names = partNames(format);
  if (!new RegExp(`^${patternOf(format)}$`).test(text)) return names.map(() => NaN);
  const [date = '', clock = ''] = time === undefined ? [text] : split(text, time);
  const numbers = date.split(separator).map(Number);
  const at = (letter: string) => numbers[order.indexOf(letter)]!;
  const written = { year: at('y'), month: at('m'), day: at('d'), hour: Number(clock.slice(0, 2)) };
  return names.map((name) => (name === 'weekday' ? weekdayOf(written) : written[name]));
}

function split(text: string, at: string): [string, string] {
  const place = text.indexOf(at);
  return [text.slice(0, place), text.slice(place + 1)];
}

/** 1 on Monday to 7 on Sunday (Zeller's congruence, which needs no table and works on NaN). */
function weekdayOf({ year, month, day }: Written): number {
  const early = month < 3 ? 1 : 0;
  const y = year - early;
  const sum =
    day +
    Math.floor((13 * (month + 12 * early + 1)) / 5) +
    y +
    Math.floor(y / 4) -
    Math.floor(y / 100) +
    Math.floor(y / 400) +
    5;
  return sum - 7 * Math.floor(sum / 7) + 1;
}

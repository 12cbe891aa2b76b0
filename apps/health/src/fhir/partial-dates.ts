/**
 * FHIR dates that may lack a day, a month or a time. Such a date is an interval, never its first day.
 *
 * A date without a time is read in UTC: it names a day, and the hospital's offset is not sent with it.
 */

/** Milliseconds since 1970: `from` is inside, `to` is the last instant inside. */
export interface Interval {
  readonly from: number;
  readonly to: number;
}

const DATE = /^(\d{4})(?:-(\d\d)(?:-(\d\d))?)?$/;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** @returns undefined for a text that is no FHIR date or dateTime, such as `2023-02-30`. */
export function intervalOf(text: string): Interval | undefined {
  if (INSTANT.test(text)) {
    const instant = Date.parse(text);
    if (Number.isNaN(instant) || !isDay(text.slice(0, 10))) return undefined;
    return { from: instant, to: instant };
  }
  const [, year, month, day] = DATE.exec(text) ?? [];
  if (year === undefined) return undefined;
  if (day !== undefined && !isDay(text)) return undefined;
  if (month !== undefined && !(Number(month) >= 1 && Number(month) <= 12)) return undefined;
  const [y, m, d] = [Number(year), Number(month ?? 1) - 1, Number(day ?? 1)];
  const next =
    day !== undefined
      ? utc(y, m, d + 1)
      : month !== undefined
        ? utc(y, m + 1, 1)
        : utc(y + 1, 0, 1);
  return { from: utc(y, m, d), to: next - 1 };
}

/** Whole years between a birth and `now`, for every birth inside the interval: [youngest, oldest]. */
export function agesOf(birth: Interval, now: number): readonly [number, number] {
  return [yearsBetween(birth.to, now), yearsBetween(birth.from, now)];
}

function yearsBetween(birth: number, now: number): number {
  const [born, today] = [new Date(birth), new Date(now)];
  const years = today.getUTCFullYear() - born.getUTCFullYear();
  const hadBirthday =
    today.getUTCMonth() > born.getUTCMonth() ||
    (today.getUTCMonth() === born.getUTCMonth() && today.getUTCDate() >= born.getUTCDate());
  return hadBirthday ? years : years - 1;
}

function isDay(text: string): boolean {
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

/** `Date.UTC` reads the years 0 to 99 as 1900 to 1999. */
function utc(year: number, month: number, day: number): number {
  return new Date(0).setUTCFullYear(year, month, day);
}

import { expect, it } from 'vitest';
import { agesOf, intervalOf } from './partial-dates.ts';

const at = (text: string) => Date.parse(text);

it('makes an interval of a date that lacks parts', () => {
  expect(intervalOf('1958')).toEqual({ from: at('1958-01-01'), to: at('1959-01-01') - 1 });
  expect(intervalOf('1958-02')).toEqual({ from: at('1958-02-01'), to: at('1958-03-01') - 1 });
  expect(intervalOf('2024-02-29')).toEqual({ from: at('2024-02-29'), to: at('2024-03-01') - 1 });
  expect(intervalOf('1958-12')).toEqual({ from: at('1958-12-01'), to: at('1959-01-01') - 1 });
  const instant = at('2026-05-20T23:30:00Z');
  expect(intervalOf('2026-05-21T01:30:00+02:00')).toEqual({ from: instant, to: instant });
});

it.each([
  '',
  '58',
  '2023-02-29',
  '2023-13',
  '2023-00',
  '2023-02-30T10:00:00Z',
  '2026-05-20T10:00',
  '20.5.1958',
])('refuses %j', (text) => expect(intervalOf(text)).toBeUndefined());

it('counts whole years on the birthday, and an interval of them without a day', () => {
  const ages = (birth: string, now: string) => agesOf(intervalOf(birth)!, at(now));
  expect(ages('1958-06-01', '2026-06-01')).toEqual([68, 68]);
  expect(ages('1958-06-02', '2026-06-01')).toEqual([67, 67]);
  expect(ages('1960-02-29', '2026-02-28')).toEqual([65, 65]);
  expect(ages('1958', '2026-06-01')).toEqual([67, 68]);
  expect(ages('1958-05', '2026-06-01')).toEqual([68, 68]);
});

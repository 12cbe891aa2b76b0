import { describe, expect, it } from 'vitest';
import {
  formatAge,
  formatBytes,
  formatDuration,
  formatNumber,
  formatShare,
  parseBytes,
  parseDuration,
} from './units.ts';

describe('durations', () => {
  it.each([
    ['100ms', 100],
    ['1.5s', 1500],
    ['2m', 120_000],
    ['250us', 0.25],
    ['1h', 3_600_000],
    ['30d', 2_592_000_000],
    ['.5 s', 500],
  ])('reads %s', (text, ms) => {
    expect(parseDuration(text)).toBeCloseTo(ms, 9);
  });

  it.each(['100', 'ms', '-1s', '1 fortnight', '', '1s2', '1constructor'])(
    'refuses "%s"',
    (text) => {
      expect(() => parseDuration(text)).toThrow(/length of time/);
    },
  );

  it.each([
    [0, '0 ms'],
    [0.0124, '12 µs'],
    [0.9999, '1.00 ms'],
    [8.314, '8.31 ms'],
    [83.14, '83.1 ms'],
    [999.6, '1.00 s'],
    [12_345, '12.3 s'],
    [59_960, '1 min'],
    [200_000, '3 min 20 s'],
    [7_260_000, '2 h 1 min'],
    [2_592_000_000, '30 d'],
    [176_400_000, '2 d 1 h'],
    [null, '–'],
    [Number.NaN, '–'],
  ])('writes %s as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe('sizes', () => {
  it.each([
    ['64MiB', 67_108_864],
    ['10MB', 10_000_000],
    ['4096', 4096],
    ['1.5g', 1_610_612_736],
    ['3Gi', 3_221_225_472],
  ])('reads %s', (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });

  it.each(['', 'big', '1 XB', '-1', '1constructor'])('refuses "%s"', (text) => {
    expect(() => parseBytes(text)).toThrow(/size/);
  });

  it.each([
    [512, '512 B'],
    [1536, '1.50 KiB'],
    [67_108_864, '64.0 MiB'],
    [3 * 1024 ** 4, '3.00 TiB'],
  ])('writes %s as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
    expect(parseBytes(text)).toBe(bytes);
  });
});

describe('numbers', () => {
  it('never rounds a broken promise up to a kept one', () => {
    expect(formatShare(1)).toBe('100 %');
    expect(formatShare(0.99999)).toBe('99.999 %');
    expect(formatShare(0.9999999)).toBe('99.999 %');
    expect(formatShare(0.983)).toBe('98.3 %');
    expect(formatShare(null)).toBe('–');
  });

  it('keeps three digits, and thousands readable', () => {
    expect([0, 0.123, 8.25, 82.5, 825.4, 12_345.6].map(formatNumber)).toEqual([
      '0',
      '0.12',
      '8.25',
      '82.5',
      '825',
      '12,346',
    ]);
  });

  it('shows how long ago a time was', () => {
    const now = Date.parse('2030-01-02T00:00:00Z');
    expect(formatAge('2030-01-01T23:59:48Z', now)).toBe('12 s ago');
    expect(formatAge('2029-12-01T00:00:00Z', now)).toBe('32 days ago');
  });
});

import { describe, expect, it } from 'vitest';
import { isLoopback } from '@skein/http';
import type { KeyView } from './contract.ts';
import { accessModeFor } from './exposure.ts';

const key: KeyView = {
  id: 'a',
  label: '',
  tenant: 't',
  scopes: ['admin'],
  createdAt: '2026-01-01T00:00:00.000Z',
};
const now = Date.parse('2026-06-01T00:00:00Z');
const required = expect.objectContaining({ code: 'KEYS_REQUIRED' }) as Error;

describe('exposure', () => {
  it.each([
    '127.0.0.1',
    '127.8.9.1',
    '::1',
    '[::1]',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.1',
    'localhost',
    'LOCALHOST',
  ])('%s stays on this machine', (host) => expect(isLoopback(host)).toBe(true));

  it.each([
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '192.168.127.1',
    '::2',
    '::10:1',
    '1::1',
    'fe80::1',
    '127.evil.example',
    '127.0.0.1.example',
    'example',
    '',
    '::ffff:10.0.0.1',
  ])('%s may not', (host) => expect(isLoopback(host)).toBe(false));

  it('is open on loopback, unless keys are asked for', () => {
    expect(accessModeFor(['127.0.0.1', '::1'], false, [], now)).toBe('open');
    expect(accessModeFor(['127.0.0.1'], true, [key], now)).toBe('keys');
    expect(() => accessModeFor(['127.0.0.1'], true, [], now)).toThrow(required);
  });

  it('requires a valid key beyond loopback', () => {
    expect(accessModeFor(['127.0.0.1', '0.0.0.0'], false, [key], now)).toBe('keys');
    for (const keys of [
      [],
      [{ ...key, revokedAt: '2026-05-01T00:00:00.000Z' }],
      [{ ...key, expiresAt: '2026-05-01T00:00:00.000Z' }],
    ]) {
      expect(() => accessModeFor(['0.0.0.0'], false, keys, now)).toThrow(required);
    }
  });
});

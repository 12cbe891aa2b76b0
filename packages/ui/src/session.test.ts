import type { SkeinError } from '@skein/api/errors';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { fixOf, openSession } from './session.ts';

function storage(): Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> {
  const items = new Map<string, string>();
  return {
    getItem: (name) => items.get(name) ?? null,
    setItem: (name, value) => void items.set(name, value),
    removeItem: (name) => void items.delete(name),
  };
}

beforeEach(() => {
  vi.stubGlobal('sessionStorage', storage());
  vi.stubGlobal('localStorage', storage());
});
afterEach(() => vi.unstubAllGlobals());

it('keeps the key that was entered last, for the tab or beyond it', () => {
  const session = openSession('key');
  for (const [key, remember] of [
    ['first', false],
    ['second', true],
    ['third', false],
  ] as const) {
    session.enter(key, remember);
    expect(openSession('key').key.value).toBe(key);
  }
  session.leave();
  expect(openSession('key').key.value).toBe(undefined);
});

it('shows a reader of a page what to do where no server answers, and not its operator', async () => {
  const error = await openSession('key')
    .open('http://127.0.0.1:1/')
    .catch((each: unknown) => each as SkeinError);
  expect(error).toMatchObject({ code: 'NODE_UNREACHABLE' });
  expect(fixOf(error as SkeinError)).toBe('Check your connection, and try again.');
});

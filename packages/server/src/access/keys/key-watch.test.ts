import type { SkeinError } from '@skein/api';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openSqliteState, type State } from '@skein/state';
import { createAccess } from '../access.ts';

let state: State;
let wall: number;
beforeEach(async () => {
  state = await openSqliteState(':memory:');
  wall = Date.parse('2026-06-01T00:00:00Z');
});
afterEach(async () => {
  vi.useRealTimers();
  await state.close();
});

async function open(expiresInMs?: number) {
  const access = await createAccess({
    state,
    mode: 'keys',
    clock: { now: () => 0 },
    wallNow: () => wall,
  });
  const { key, secret } = await access.keys.create({
    label: 'test',
    tenant: 'ward',
    scopes: ['infer'],
    ...(expiresInMs === undefined ? {} : { expiresAt: new Date(wall + expiresInMs).toISOString() }),
  });
  return { access, key, caller: access.authorize(`Bearer ${secret}`, 'infer') };
}

const codeOf = (onEnd: ReturnType<typeof vi.fn>): string[] =>
  onEnd.mock.calls.map(([error]) => (error as SkeinError).code);

describe('a watcher of a key', () => {
  it('is called once, synchronously with the revocation', async () => {
    const { access, key, caller } = await open();
    const onEnd = vi.fn();
    const other = vi.fn();
    access.watch(caller, onEnd);
    access.watch(caller, other);
    await access.keys.revoke(key.id);
    expect(codeOf(onEnd)).toEqual(['KEY_INVALID']);
    expect((onEnd.mock.calls[0]![0] as SkeinError).message).toContain('has been revoked');
    await access.keys.revoke(key.id);
    expect(onEnd).toHaveBeenCalledTimes(1);
    expect(other).toHaveBeenCalledTimes(1);
  });

  it('is called within a second after the key expires', async () => {
    const { access, caller } = await open(10_000);
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const onEnd = vi.fn();
    access.watch(caller, onEnd);
    wall += 9_999;
    vi.advanceTimersByTime(1000);
    expect(onEnd).not.toHaveBeenCalled();
    wall += 1;
    vi.advanceTimersByTime(1000);
    expect(codeOf(onEnd)).toEqual(['KEY_INVALID']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is called after it was added if the key has just ended', async () => {
    const { access, key, caller } = await open();
    await access.keys.revoke(key.id);
    const onEnd = vi.fn();
    const stopped = vi.fn();
    access.watch(caller, onEnd);
    access.watch(caller, stopped)();
    expect(onEnd).not.toHaveBeenCalled();
    await Promise.resolve();
    expect(onEnd).toHaveBeenCalledTimes(1);
    expect(stopped).not.toHaveBeenCalled();
  });

  it('is not called after it was removed, even by a watcher that is called before it', async () => {
    const { access, key, caller } = await open();
    const late = vi.fn();
    const stops: (() => void)[] = [];
    access.watch(caller, () => stops.forEach((stop) => stop()));
    stops.push(access.watch(caller, late));
    const stop = access.watch(caller, late);
    stop();
    stop();
    await access.keys.revoke(key.id);
    expect(late).not.toHaveBeenCalled();
  });

  it('shares one timer with the others, and needs none for a key that cannot expire', async () => {
    const { access, caller } = await open(10_000);
    const { secret } = await access.keys.create({ label: 'b', tenant: 'ward', scopes: ['infer'] });
    const forever = access.authorize(`Bearer ${secret}`, 'infer');
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    access.watch(forever, () => {});
    expect(vi.getTimerCount()).toBe(0);
    const stops = Array.from({ length: 1000 }, () => access.watch(caller, () => {}));
    expect(vi.getTimerCount()).toBe(1);
    for (const stop of stops) stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is never called on an open node', async () => {
    const access = await createAccess({ state, mode: 'open', clock: { now: () => 0 } });
    const onEnd = vi.fn();
    access.watch(access.authorize(undefined, 'infer'), onEnd)();
    expect(onEnd).not.toHaveBeenCalled();
  });
});

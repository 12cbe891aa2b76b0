import { EventEmitter } from 'node:events';
import type { ClientHttp2Session } from 'node:http2';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RoundTrip } from './round-trip.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A connection whose echoes take as long as the test sets; undefined: none comes. */
function connection() {
  const first: { echoMs: number | undefined } = { echoMs: 1 };
  const session = Object.assign(new EventEmitter(), first, {
    destroyed: false,
    closed: false,
    ping(echo: (error: null, durationMs: number) => void) {
      if (session.echoMs !== undefined) echo(null, session.echoMs);
    },
    close() {
      session.closed = true;
    },
    destroy() {
      session.destroyed = true;
      session.emit('close');
    },
  });
  return session;
}
const follow = (roundTrip: RoundTrip, session: ReturnType<typeof connection>) =>
  roundTrip.follow(session as unknown as ClientHttp2Session);

test('the way to a member takes as long as the shortest of the last echoes', async () => {
  const [roundTrip, session] = [new RoundTrip(), connection()];
  expect(roundTrip.ms).toBe(0);
  session.echoMs = 3;
  await follow(roundTrip, session);
  session.echoMs = 20;
  vi.advanceTimersByTime(3500);
  expect(roundTrip.ms).toBe(3);
  vi.advanceTimersByTime(500);
  expect(roundTrip.ms).toBe(20);
});

test('a connection without an echo for two seconds is closed, and its way dropped', async () => {
  const [roundTrip, session] = [new RoundTrip(), connection()];
  await follow(roundTrip, session);
  session.echoMs = undefined;
  vi.advanceTimersByTime(2000);
  expect(session.destroyed).toBe(false);
  vi.advanceTimersByTime(500);
  expect(session.destroyed).toBe(true);
  expect(roundTrip.ms).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});

test('a connection that ends before its first echo was never there', async () => {
  const [roundTrip, session] = [new RoundTrip(), connection()];
  session.echoMs = undefined;
  const followed = follow(roundTrip, session);
  session.destroy();
  await expect(followed).rejects.toThrow('has ended');
});

test('a connection whose member leaves takes no new requests', async () => {
  const [roundTrip, session] = [new RoundTrip(), connection()];
  await follow(roundTrip, session);
  session.emit('goaway');
  expect(session.closed).toBe(true);
});

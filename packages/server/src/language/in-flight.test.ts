/** A call in flight ends once, by whatever end. */
import type { GenerateEvent, Generation } from '@skein/generative';
import { expect, test, vi } from 'vitest';
import { countInFlight } from './in-flight.ts';

const TEXT: GenerateEvent = { type: 'text', text: 'a' };

function generationOf(read: () => AsyncIterable<GenerateEvent>): Generation {
  return { events: read(), headers: () => ({}), receipt: () => undefined };
}

function start(read: () => AsyncIterable<GenerateEvent>) {
  const idle = vi.fn();
  const inFlight = countInFlight(idle);
  const leaving = new AbortController();
  const { events } = inFlight.whileRead(generationOf(read), leaving.signal);
  expect(inFlight.count).toBe(1);
  const endedOnce = (): void => expect([inFlight.count, idle.mock.calls.length]).toEqual([0, 1]);
  return { inFlight, leaving, events, endedOnce };
}

async function* whole(): AsyncGenerator<GenerateEvent> {
  yield TEXT;
  yield { type: 'finish', reason: 'stop' };
}

test('an answer that is read, that fails, and that is left', async () => {
  const read = start(whole);
  const events: GenerateEvent[] = [];
  for await (const event of read.events) {
    expect(read.inFlight.count).toBe(1);
    events.push(event);
  }
  expect(events.map(({ type }) => type)).toEqual(['text', 'finish']);
  read.endedOnce();

  const failed = start(async function* () {
    yield TEXT;
    throw new Error('cut');
  });
  const reading = (async () => {
    for await (const _ of failed.events);
  })();
  await expect(reading).rejects.toThrow('cut');
  failed.endedOnce();

  const left = start(whole);
  for await (const _ of left.events) break;
  left.leaving.abort();
  left.endedOnce();
});

test('an answer without an event read: left, or its caller has gone', async () => {
  const left = start(whole);
  await left.events[Symbol.asyncIterator]().return?.();
  left.endedOnce();

  const gone = start(whole);
  gone.leaving.abort();
  gone.endedOnce();

  const inFlight = countInFlight(() => {});
  inFlight.whileRead(generationOf(whole), AbortSignal.abort());
  expect(inFlight.count).toBe(0);
});

test('a call that ends, and one that fails', async () => {
  const idle = vi.fn();
  const inFlight = countInFlight(idle);
  const { promise, resolve } = Promise.withResolvers<string>();
  const call = inFlight.during(() => promise);
  const failing = inFlight.during(() => Promise.reject(new Error('refused')));
  expect(inFlight.count).toBe(2);
  await expect(failing).rejects.toThrow('refused');
  expect([inFlight.count, idle.mock.calls.length]).toEqual([1, 0]);
  resolve('answer');
  expect(await call).toBe('answer');
  expect([inFlight.count, idle.mock.calls.length]).toEqual([0, 1]);
});

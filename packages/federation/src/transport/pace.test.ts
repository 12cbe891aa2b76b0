import { expect, it } from 'vitest';
import { openChannel } from './channel.ts';
import { memoryChunks } from './chunks.ts';
import { connectionPair, type Connection } from './connection.ts';
import { decodeFrame } from './messages.ts';
import { createPace, type Pace, type Reservation } from './pace.ts';

const TERMS = { totalBytes: 1000, leastBytes: 100, leaseMs: 60_000 };
const take = (pace: Pace, bytes: number) =>
  new Promise<Reservation>((start) => {
    pace.take(bytes, start);
  });

it('gives one a large window, and many small ones, of a bounded total', async () => {
  const pace = createPace(TERMS);
  const reservations: Reservation[] = [];
  for (let i = 0; i < 20; i++) pace.take(5000, (reservation) => reservations.push(reservation));
  expect(reservations[0]!.bytes).toBe(250);
  expect(reservations.every(({ bytes }) => bytes >= 100)).toBe(true);
  const held = reservations.reduce((sum, { bytes }) => sum + bytes, 0);
  expect(held).toBeLessThanOrEqual(1000);
  expect(reservations.length).toBeLessThan(20);
  const before = reservations.length;
  const [first] = reservations;
  first!.free();
  first!.free();
  expect(reservations.length).toBe(before + 2);
});

it('does not wait for a peer that stalls longer than its lease', async () => {
  const pace = createPace({ ...TERMS, totalBytes: 100, leaseMs: 30 });
  const stalled = await take(pace, 100);
  const next = await take(pace, 100);
  expect([stalled.bytes, next.bytes]).toEqual([100, 100]);
  // It was given back already.
  stalled.free();
  let isStarted = false;
  pace.take(100, () => (isStarted = true));
  expect(isStarted).toBe(false);
  next.free();
  expect(isStarted).toBe(true);
});

it('bounds what a receiver asks for over all of its channels', async () => {
  const pace = createPace({ totalBytes: 2 ** 19, leastBytes: 2 ** 16, leaseMs: 60_000 });
  let asked = 0;
  let most = 0;
  const payload = Uint8Array.from({ length: 700_000 }, (_, i) => i & 255);
  const sends = Array.from({ length: 8 }, async (_, i) => {
    const [near, far] = connectionPair();
    /** Bytes that were asked for and have not arrived. */
    const counting: Connection = {
      ...far,
      send(frame) {
        const { message } = decodeFrame(frame);
        if (message.kind === 'want') asked += message.to - message.from;
        most = Math.max(most, asked);
        far.send(frame);
      },
      listen: (listener) =>
        far.listen({
          onClose: () => listener.onClose(),
          onFrame(frame) {
            const { message, body } = decodeFrame(frame);
            if (message.kind === 'chunk') asked -= body.length;
            listener.onFrame(frame);
          },
        }),
    };
    const sender = openChannel(near, memoryChunks(2 ** 24));
    const receiver = openChannel(counting, memoryChunks(2 ** 24), { pace });
    const place = { round: i, attempt: 0, phase: 'train' };
    const sent = sender.send({ kind: 'task', place, remainingMs: 1, fields: {} }, payload);
    const arrival = await receiver.receive();
    expect(Buffer.compare(await arrival!.payload!.read(), payload)).toBe(0);
    await sent;
  });
  await Promise.all(sends);
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(2 ** 19);
});

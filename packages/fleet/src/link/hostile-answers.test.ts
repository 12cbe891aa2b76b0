/** Members that know the key and answer with a fault: what they send is refused, bounded, and ends nothing else. */
import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { Cancellation, type InferenceAnswer, type InferenceRequest } from '@skein/serving';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { CIRCUIT_MS } from '../tuning.ts';
import { type Outcome, Peer } from './peer.ts';
import { bytesBudget } from './testing/bytes-budget.ts';
import { bytes, closeMembers, closers, KEY, member, REQUEST } from './testing/scripted-member.ts';

const PATIENT = { timeout: 30_000 };
afterEach(closeMembers);

/** Waits where the test drives the timers, which a poll would move. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

describe('a member that asks one with a fault', () => {
  const request: InferenceRequest = {
    ...REQUEST,
    protocol: 'http',
    inputs: new Map(),
    arrivedAt: performance.now(),
  };

  /** @param answer writes to each stream that is asked. */
  async function asked(answer: (stream: ServerHttp2Stream) => void, budget = bytesBudget(1e6)) {
    const streams: ServerHttp2Stream[] = [];
    const address = await member((session) =>
      session.on('stream', (stream: ServerHttp2Stream) => {
        streams.push(stream.on('error', () => {}));
        stream.respond({ ':status': 200 });
        answer(stream);
      }),
    );
    const options = { key: KEY, clock: performance, random: Math.random, maxBytes: 1e8, budget };
    const peer = new Peer(address, options);
    closers.push(() => peer.close());
    return { peer, streams, budget };
  }
  const answering = async (meta: object): Promise<Outcome> => {
    const { peer } = await asked((stream) => stream.end(bytes(meta)));
    return peer.forward(request, performance.now() + 30_000);
  };

  test.each(['soon', -1, null, {}])('a prediction of %j is no answer', async (finishMs) => {
    const { peer } = await asked((stream) => stream.end(bytes({ finishMs })));
    expect(await peer.probe(request, 30_000)).toBeUndefined();
    expect(peer.isAsked(performance.now())).toBe(false);
  });

  test.each([
    { what: 'answers soon after', isAsked: true },
    { what: 'stays silent', isAsked: false },
  ])('a member is left out after a hurried probe only if it $what: %o', async (given) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    closers.push(() => vi.useRealTimers());
    let answers = true;
    const { peer, streams } = await asked((stream) => {
      if (answers) stream.end(bytes({ finishMs: 1 }));
    });
    const isAsked = (): boolean => peer.isAsked(performance.now());
    expect(await peer.probe(request, 30_000)).toMatchObject({ finishMs: 1 });
    answers = false;
    const probed = peer.probe(request, 5);
    await until(() => streams.length === 2);
    await vi.advanceTimersByTimeAsync(5);
    expect(await probed).toBeUndefined();
    expect(isAsked()).toBe(true);
    if (given.isAsked) {
      streams[1]!.end(bytes({ finishMs: 1 }));
      await until(() => vi.getTimerCount() === 0);
    }
    await vi.advanceTimersByTimeAsync(CIRCUIT_MS.silence - 6);
    expect(isAsked()).toBe(true);
    await vi.advanceTimersByTimeAsync(1);
    expect(isAsked()).toBe(given.isAsked);
  });

  test('a request without the time for a connection does not count against a member that takes it later', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    closers.push(() => vi.useRealTimers());
    const { peer, streams } = await asked((stream) => stream.end(bytes({ finishMs: 1 })));
    const [probed, forwarded] = [peer.probe(request, 5), peer.forward(request, -Infinity)];
    await vi.advanceTimersByTimeAsync(5);
    expect(await probed).toBeUndefined();
    expect(await forwarded).toEqual({ lost: true, sent: false });
    await until(() => vi.getTimerCount() === 0);
    expect(peer.isAsked(performance.now())).toBe(true);
    expect(await peer.probe(request, 30_000)).toMatchObject({ finishMs: 1 });
    // The first ones were not sent when the connection was there.
    expect(streams).toHaveLength(1);
  });

  test('a connection that is there after its member has left is closed', async () => {
    const sessions: ServerHttp2Session[] = [];
    const address = await member((session) => void sessions.push(session));
    const options = { key: KEY, clock: performance, random: Math.random, maxBytes: 1e8 };
    const peer = new Peer(address, { ...options, budget: bytesBudget(1e6) });
    const probed = peer.probe(request, 30_000);
    peer.close();
    expect(await probed).toBeUndefined();
    await expect.poll(() => sessions[0]?.closed, PATIENT).toBe(true);
  });

  test('a member that takes no connections is left out by requests that did not wait for it', async () => {
    const { peer } = await asked(() => {});
    closeMembers();
    const again = new Peer(peer.address, {
      key: KEY,
      clock: performance,
      random: Math.random,
      maxBytes: 1e8,
      budget: bytesBudget(1e6),
    });
    expect(await again.forward(request, -Infinity)).toEqual({ lost: true, sent: false });
    await expect.poll(() => again.isAsked(performance.now()), PATIENT).toBe(false);
  });

  test('a retry time that is no number is none, and an unknown code is a fault of the member', async () => {
    const refusal = { code: 'QUEUE_FULL', message: 'm', retryAfterMs: 'never' };
    const { peer } = await asked((stream) => stream.end(bytes({ refusal })));
    expect((await peer.probe(request, 30_000))?.refusal?.retryAfterMs).toBe(Infinity);
    for (const code of ['NO_SUCH_CODE', 7, 'toString']) {
      const outcome = await answering({
        error: { code, message: { toString: 1 }, retryAfterMs: {} },
      });
      expect(outcome).toMatchObject({ error: { code: 'INTERNAL', retryAfterSeconds: undefined } });
    }
  });

  test('times that are no numbers are none: metrics add them up', async () => {
    for (const times of ['fast', { queueMs: '1', computeMs: 2, batchRows: 1 }, { queueMs: 1 }]) {
      const outcome = await answering({ version: 7, times });
      expect(outcome).toMatchObject({
        answer: { version: '7', times: { queueMs: 0, computeMs: 0, batchRows: 1 } },
      });
    }
  });

  test('what follows an answer is not read, and ends its stream', async () => {
    const { peer, streams } = await asked((stream) => {
      const more = bytes({ version: '2', more: true });
      const flood = (): void => {
        while (!stream.destroyed && stream.write(more));
      };
      stream.on('drain', flood).write(bytes({ version: '1' }));
      flood();
    });
    const outcome = await peer.forward(request, performance.now() + 30_000);
    expect(outcome).toMatchObject({ answer: { version: '1' } });
    await expect.poll(() => streams[0]!.rstCode, PATIENT).toBe(constants.NGHTTP2_CANCEL);
  });

  /** Chunks without end, as far as they are read. */
  const streaming = (stream: ServerHttp2Stream): void => {
    const chunks = Buffer.concat(Array(1000).fill(bytes({ version: '1', more: true })));
    const flood = (): void => {
      while (!stream.destroyed && stream.write(chunks));
    };
    stream.on('drain', flood);
    flood();
  };

  test('a member that does not look at a request has not run it', async () => {
    const refusing = async () =>
      (await asked((stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM))).peer;
    expect(await (await refusing()).forward(request, performance.now() + 30_000)).toEqual({
      lost: true,
      sent: false,
    });
    const change = { change: 'rollback', parameters: [], actor: 'a' } as const;
    expect(await (await refusing()).change(change)).toBeUndefined();
    const { peer } = await asked((stream) => stream.close(constants.NGHTTP2_CANCEL));
    await expect(peer.change(change)).rejects.toMatchObject({ code: 'PEER_LOST' });
  });

  test('a member that sends chunks faster than they are read is slowed down', async () => {
    let sent = 0;
    const { peer, budget } = await asked((stream) => {
      const chunks = Buffer.concat(Array(1000).fill(bytes({ more: true })));
      const flood = (): void => {
        for (let more = true; more && !stream.destroyed; sent += chunks.byteLength) {
          more = stream.write(chunks);
        }
      };
      stream.on('drain', flood);
      flood();
    }, bytesBudget(1e9));
    const outcome = await peer.forward(
      { ...request, takesChunks: true },
      performance.now() + 30_000,
    );
    // The window of a stream.
    await expect.poll(() => sent, PATIENT).toBeGreaterThan(8e6);
    expect(budget.held).toBeLessThan(1e6);
    await (outcome as { answer: InferenceAnswer }).answer.rest![Symbol.asyncIterator]().return!();
  });

  test('chunks for a request that takes none are not read, and end its stream', async () => {
    const { peer, streams, budget } = await asked(streaming);
    const outcome = await peer.forward(request, performance.now() + 30_000);
    expect(outcome).toEqual({ lost: true, sent: true });
    expect(peer.isAsked(performance.now())).toBe(false);
    await expect.poll(() => streams[0]!.rstCode, PATIENT).toBe(constants.NGHTTP2_CANCEL);
    expect(budget.held).toBe(0);
  });

  test('chunks that wait for their reader count for the budget until it has them or leaves', async () => {
    const { peer, streams, budget } = await asked(streaming);
    const cancellation = new Cancellation();
    const taking = { ...request, takesChunks: true, cancellation };
    const outcome = await peer.forward(taking, performance.now() + 30_000);
    expect(budget.held).toBeGreaterThan(1000);
    const chunks = (outcome as { answer: InferenceAnswer }).answer.rest![Symbol.asyncIterator]();
    for (let count = 0; count < 5000; count++) expect((await chunks.next()).done).toBe(false);
    expect(budget.held).toBeLessThan(1e6);
    await chunks.return!();
    await expect.poll(() => budget.held, PATIENT).toBe(0);
    await expect.poll(() => streams[0]!.rstCode, PATIENT).toBe(constants.NGHTTP2_CANCEL);
  });

  test.each(['cut off', 'cancelled'])(
    'an answer that is %s frees its memory at once',
    async (how) => {
      const size = 9e7;
      const { peer, streams, budget } = await asked((stream) => {
        const announced = Buffer.alloc(8);
        announced.writeUInt32LE(8, 0);
        announced.writeUInt32LE(size, 4);
        stream.write(announced);
        stream.write(Buffer.alloc(size / 5));
      }, bytesBudget(1e9));
      const cancellation = new Cancellation();
      const forwarded = peer.forward({ ...request, cancellation }, performance.now() + 30_000);
      // Part of it has arrived, and the memory of the whole is taken.
      await expect.poll(() => budget.held, PATIENT).toBeGreaterThan(size / 5);
      const { arrayBuffers: taken } = process.memoryUsage();
      if (how === 'cancelled') cancellation.cancel();
      else streams[0]!.close();
      await forwarded;
      expect(taken - process.memoryUsage().arrayBuffers).toBeGreaterThan(0.9 * size);
    },
  );

  test('an answer that never ends is read up to the budget, and is lost', async () => {
    let sent = 0;
    const { peer, budget } = await asked((stream) => {
      const announced = Buffer.alloc(8);
      announced.writeUInt32LE(8, 0);
      announced.writeUInt32LE(9e7, 4);
      stream.write(announced);
      const body = Buffer.alloc(100_000);
      const flood = (): void => {
        for (let more = true; more && !stream.destroyed; sent += body.byteLength) {
          more = stream.write(body);
        }
      };
      stream.on('drain', flood);
      flood();
    });
    expect(await peer.forward(request, performance.now() + 30_000)).toEqual({
      lost: true,
      sent: true,
    });
    // A message that is whole would be lost too: the windows alone let more pass than the budget.
    expect(sent).toBeLessThan(5e7);
    await expect.poll(() => budget.held, PATIENT).toBe(0);
  });
});

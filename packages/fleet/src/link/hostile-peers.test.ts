/** Members that know the key and have a fault: what they send is refused, bounded, and ends nothing else. */
import { createServer } from 'node:http';
import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { SkeinError } from '@skein/api';
import { Cancellation, type InferenceAnswer, type InferenceRequest } from '@skein/serving';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { CIRCUIT_MS } from '../tuning.ts';
import { acceptLink } from './accept-link.ts';
import { encodeFrame, FrameReader } from './frame.ts';
import { type AnswerMeta, PATHS } from './messages.ts';
import { openLink } from './open-link.ts';
import { type Outcome, Peer } from './peer.ts';
import { servePeer } from './serve-peers.ts';
import { bytesBudget } from './testing/bytes-budget.ts';
import { framesIn } from './testing/frames-in.ts';

const KEY = 'a key of the fleet that is long enough';
const PATIENT = { timeout: 30_000 };
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** @returns the address of a member that serves connections in this way. */
async function member(serve: (session: ServerHttp2Session) => void): Promise<string> {
  const server = createServer();
  server.on('upgrade', (request, socket: Socket, head) => {
    closers.push(() => socket.destroy());
    void acceptLink(request, socket, head, KEY).then((session) => session && serve(session));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Where the timers are those of the test, which a poll would move. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

const bytes = (meta: object): Buffer => Buffer.concat(encodeFrame(meta));
const REQUEST = {
  id: 'r',
  deployment: 'risk',
  priority: 0,
  tenant: 't',
  protocol: 'http',
  elapsedMs: 1,
};

describe('a member that is asked by one with a fault', () => {
  const ANSWER = { version: '1', outputs: new Map(), times: { queueMs: 0, computeMs: 0 } };

  async function asking(budget = bytesBudget(1e6), answered: Promise<unknown> = Promise.resolve()) {
    const taken: InferenceRequest[] = [];
    const address = await member((session) =>
      servePeer(session, {
        local: {
          infer(request) {
            taken.push(request);
            return answered.then(() => ANSWER as unknown as InferenceAnswer);
          },
          predict: () => ({ finishMs: 1 }),
        },
        clock: performance,
        maxBytes: 1e8,
        hold: (tenant) => budget.hold(tenant),
        toError: (error) => new SkeinError('INTERNAL', String(error)),
      }),
    );
    const session = await openLink(address, { key: KEY }, 5000);
    closers.push(() => session.destroy());
    /** What it answers; undefined: it closes the stream. */
    const ask = async (path: string, ...parts: readonly Buffer[]) => {
      const stream = session.request({ ':method': 'POST', ':path': path });
      stream.on('error', () => {});
      const reader = new FrameReader<AnswerMeta>(1e6, budget.hold('t'));
      const frames: AnswerMeta[] = [];
      stream.on('data', (chunk: Buffer) => {
        for (const { meta } of framesIn(reader, chunk)) frames.push(meta);
      });
      const closed = new Promise((resolve) => stream.once('close', resolve));
      for (const part of parts) stream.write(part);
      stream.end();
      await closed;
      return frames[0];
    };
    return { session, ask, taken, budget };
  }

  test.each([
    {},
    { ...REQUEST, id: undefined },
    { ...REQUEST, tenant: { name: 't' } },
    { ...REQUEST, elapsedMs: 'soon' },
    { ...REQUEST, leftMs: '5' },
    { ...REQUEST, priority: null },
    { ...REQUEST, outputs: 'y' },
    { ...REQUEST, version: 1 },
  ])('runs no request of the form %j, and goes on', async (meta) => {
    const { ask, taken } = await asking();
    expect(await ask(PATHS.infer, bytes(meta))).toBeUndefined();
    expect(await ask(PATHS.probe, bytes({ ...meta, shapes: [] }))).toBeUndefined();
    expect(taken).toEqual([]);
    expect(await ask(PATHS.infer, bytes(REQUEST))).toMatchObject({ version: '1' });
    expect(taken).toHaveLength(1);
  });

  test('closes a probe of shapes of the wrong form, and goes on', async () => {
    const { ask } = await asking();
    for (const shapes of [undefined, 5]) {
      expect(await ask(PATHS.probe, bytes({ ...REQUEST, shapes }))).toBeUndefined();
    }
    expect(await ask(PATHS.infer, bytes(REQUEST))).toMatchObject({ version: '1' });
  });

  test.each([
    ['of the wrong form', PATHS.infer, bytes({ ...REQUEST, id: 1 })],
    ['that are no messages', PATHS.probe, Buffer.alloc(64, 0xff)],
    ['that nothing answers', '/nowhere', bytes(REQUEST)],
  ])('ends a connection of messages %s, and takes others', async (_name, path, message) => {
    const { session, ask, taken } = await asking();
    const goaway = new Promise((resolve) => session.once('goaway', resolve));
    const ended = new Promise((resolve) => session.once('close', resolve));
    const streams = Array.from({ length: 300 }, () => ask(path, message));
    expect(await goaway).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    await Promise.all([ended, ...streams]);
    expect(taken).toEqual([]);
    const other = await asking();
    expect(await other.ask(PATHS.infer, bytes(REQUEST))).toMatchObject({ version: '1' });
  });

  test('keeps a connection whose messages have a meaning more often than not', async () => {
    const { session, ask } = await asking();
    for (let count = 0; count < 300; count++) {
      await ask(PATHS.probe, bytes({ ...REQUEST, shapes: [] }));
      await ask('/nowhere', bytes(REQUEST));
    }
    expect(await ask(PATHS.infer, bytes(REQUEST))).toMatchObject({ version: '1' });
    expect(session.destroyed).toBe(false);
  });

  test('lets a member cancel what it has asked thousands of times', async () => {
    const { session, ask } = await asking();
    const cancelled = Array.from({ length: 2000 }, () => {
      const stream = session.request({ ':method': 'POST', ':path': PATHS.infer });
      stream.on('error', () => {}).close(constants.NGHTTP2_CANCEL);
      return new Promise((resolve) => stream.once('close', resolve));
    });
    await Promise.all(cancelled);
    expect(await ask(PATHS.infer, bytes(REQUEST))).toMatchObject({ version: '1' });
  });

  test('reads no more of all messages together than its budget, and answers with its code', async () => {
    const { ask, budget } = await asking(bytesBudget(1e6));
    const announced = Buffer.alloc(8);
    announced.writeUInt32LE(8, 0);
    announced.writeUInt32LE(5e7, 4);
    const body = Buffer.alloc(200_000);
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => ask(PATHS.infer, announced, ...Array(10).fill(body))),
    );
    for (const answer of answers) {
      expect(answer).toMatchObject({ error: { code: 'BODIES_TOO_LARGE' } });
    }
    await expect.poll(() => budget.held, PATIENT).toBe(0);
    expect(await ask(PATHS.infer, bytes(REQUEST))).toMatchObject({ version: '1' });
  });

  test('closes each question for the start of a request that is over', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { ask, taken } = await asking(bytesBudget(1e6), promise);
    const FIRST = 1;
    const answer = ask(PATHS.infer, bytes(REQUEST));
    await expect.poll(() => taken.length, PATIENT).toBe(1);
    const questions = [1, 2].map(() => ask(PATHS.start, bytes({ stream: FIRST })));
    resolve();
    expect(await answer).toMatchObject({ version: '1' });
    expect(await Promise.all(questions)).toEqual([undefined, undefined]);
    expect(await ask(PATHS.start, bytes({ stream: FIRST }))).toBeUndefined();
  });

  test('counts the bytes of a request until it is answered', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { ask, taken, budget } = await asking(bytesBudget(1e6), promise);
    const answer = ask(PATHS.infer, bytes(REQUEST));
    await expect.poll(() => taken.length, PATIENT).toBe(1);
    expect(budget.held).toBeGreaterThanOrEqual(bytes(REQUEST).byteLength);
    resolve();
    expect(await answer).toMatchObject({ version: '1' });
    await expect.poll(() => budget.held, PATIENT).toBe(0);
  });
});

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

  test.each(['soon', -1, null, {}])('a prediction of %j says nothing', async (finishMs) => {
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

  test('a request without the time for a connection says nothing of a member that takes it later', async () => {
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
    for (const close of closers.splice(0)) close();
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

/** Members that know the key and ask with a fault: what they send is refused, bounded, and ends nothing else. */
import { constants } from 'node:http2';
import { SkeinError } from '@skein/api';
import type { InferenceAnswer, InferenceRequest } from '@skein/serving';
import { afterEach, describe, expect, test } from 'vitest';
import { FrameReader } from './frame.ts';
import { type AnswerMeta, PATHS } from './messages.ts';
import { openLink } from './open-link.ts';
import { servePeer } from './serve-peers.ts';
import { bytesBudget } from './testing/bytes-budget.ts';
import { framesIn } from './testing/frames-in.ts';
import { bytes, closeMembers, closers, KEY, member, REQUEST } from './testing/scripted-member.ts';

const PATIENT = { timeout: 30_000 };
afterEach(closeMembers);

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
    /** @returns its answer; undefined: it closes the stream. */
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
  ])('runs no request of the form %j, and continues', async (meta) => {
    const { ask, taken } = await asking();
    expect(await ask(PATHS.infer, bytes(meta))).toBeUndefined();
    expect(await ask(PATHS.probe, bytes({ ...meta, shapes: [] }))).toBeUndefined();
    expect(taken).toEqual([]);
    expect(await ask(PATHS.infer, bytes(REQUEST))).toMatchObject({ version: '1' });
    expect(taken).toHaveLength(1);
  });

  test('closes a probe of shapes of the wrong form, and continues', async () => {
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

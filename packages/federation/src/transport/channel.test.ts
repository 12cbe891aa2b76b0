import * as fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { randomHex } from '@skein/api/signing-key';
import { openChannel } from './channel.ts';
import { memoryChunks, type Chunks } from './chunks.ts';
import type { Turns } from './pace.ts';
import { connectionPair, type Connection } from './connection.ts';
import { decodeFrame, encodeFrame, FROM_SITE, FROM_STRANGER } from './messages.ts';

const code = (expected: string): unknown => expect.objectContaining({ code: expected });
const place = { round: 1, attempt: 0, phase: 'train' };
const MOST = 2 ** 24;
const random = (bytes: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length: bytes }, (_, i) => (i * 31 + (i >> 8)) & 255);

const task = { kind: 'task', place, remainingMs: 1, fields: { a: 'b' } } as const;

function channels(most = MOST) {
  const [a, b] = connectionPair();
  return [openChannel(a, memoryChunks(most)), openChannel(b, memoryChunks(most))] as const;
}

describe('a frame', () => {
  it('is what was encoded', () => {
    const body = random(100);
    const frame = encodeFrame(task, body);
    expect(decodeFrame(frame)).toEqual({ message: task, body });
  });

  it('of another version names both versions', () => {
    const frame = encodeFrame(task);
    frame[2] = 9;
    expect(() => decodeFrame(frame)).toThrow(/version 9 .* version 1/);
  });

  /** A frame of a kind whose header is a text of the test's. */
  function frameWith(kind: number, header: string): Uint8Array<ArrayBuffer> {
    const text = new TextEncoder().encode(header);
    const frame = new Uint8Array(8 + text.length);
    frame.set([0x53, 0x4b, 1, kind]);
    new DataView(frame.buffer).setUint32(4, text.length, true);
    frame.set(text, 8);
    return frame;
  }
  const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const [HELLO, TASK, ANSWER] = [1, 6, 7];

  it.each([
    [
      'nested deeper than its kind allows',
      ANSWER,
      `{"fields":{"a":[${nested(1)}]}}`,
      'deeper than 3',
    ],
    [
      'longer than its kind allows',
      ANSWER,
      `{"fields":{"a":"${'x'.repeat(2 ** 16)}"}}`,
      '65536 bytes',
    ],
    ['of more values', ANSWER, `{"fields":{"a":[${'1,'.repeat(20_000)}1]}}`, '16384 values'],
    [
      'of more names',
      ANSWER,
      `{${Array.from({ length: 65 }, (_, i) => `"${i}":1`)}}`,
      '64 members',
    ],
    ['with more than a greeting', HELLO, `{"run":"${'x'.repeat(1100)}"}`, '1024 bytes'],
    ['of a task, nested', TASK, `{"fields":{"a":${nested(2600)}}}`, 'deeper than 16'],
  ])('is refused before it is parsed: a header %s', (_, kind, header, message) => {
    const parse = vi.spyOn(JSON, 'parse');
    onTestFinished(() => parse.mockRestore());
    const frame = frameWith(kind, header);
    expect(() => decodeFrame(frame)).toThrow(message);
    expect(() => decodeFrame(frame)).toThrow(code('FEDERATION_PROTOCOL'));
    expect(parse).not.toHaveBeenCalled();
  });

  it('is refused before it is parsed where its kind is not taken', () => {
    const parse = vi.spyOn(JSON, 'parse');
    onTestFinished(() => parse.mockRestore());
    for (const kind of Array.from({ length: 16 }, (_, i) => i + 1)) {
      if (kind === HELLO || kind === 3) continue;
      expect(() => decodeFrame(frameWith(kind, '{}'), FROM_STRANGER)).toThrow('is not taken now');
    }
    expect(parse).not.toHaveBeenCalled();
  });

  it('holds the longest answers and refusals that sites and helpers send', () => {
    const signature = randomHex(64);
    const digest = randomHex(32);
    const lengths = Array.from({ length: 4096 }, () => 262_144);
    const bad = Array.from({ length: 10_000 }, (_, site) => site);
    const payload = { digest, bytes: 2 ** 30 };
    const accused = Array.from({ length: 254 }, () => randomHex(32));
    for (const message of [
      { kind: 'answer', place, fields: { lengths, behind: 3 }, signature, payload },
      { kind: 'answer', place, fields: { bad }, signature },
      { kind: 'refuse', code: 'AGGREGATION_SHARE_BAD', message: '\n'.repeat(2000), place, accused },
    ] as const) {
      const decoded = decodeFrame(encodeFrame(message), FROM_SITE);
      expect(decoded.message).toEqual(message);
    }
  });

  it('is refused with a code whatever the bytes are', () => {
    const whole = encodeFrame({
      kind: 'hello',
      run: 'r',
      key: randomHex(32),
      nonce: randomHex(32),
    });
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc
        .tuple(fc.nat(whole.length - 1), fc.nat(255))
        .map(([at, byte]) => whole.with(at, byte) as Uint8Array),
      fc.nat(whole.length).map((end) => whole.slice(0, end)),
    );
    fc.assert(
      fc.property(bytes, (each) => {
        try {
          decodeFrame(new Uint8Array(each));
        } catch (error) {
          expect(error).toEqual(code('FEDERATION_PROTOCOL'));
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('a channel', () => {
  it.each([0, 1, 256 * 1024, 256 * 1024 + 1, 3_000_001])(
    'carries a payload of %i bytes',
    async (bytes) => {
      const [a, b] = channels();
      const sent = a.send(task, random(bytes));
      const { message, payload } = (await b.receive())!;
      expect(message).toMatchObject({ kind: 'task', place, fields: task.fields });
      expect(Buffer.compare(await payload!.read(), random(bytes))).toBe(0);
      await sent;
    },
  );

  it('continues a payload where the connection broke', async () => {
    const bytes = random(3_000_000);
    const kept = memoryChunks(MOST);
    /** Breaks after some frames. */
    const breaking = (end: Connection, after: number): Connection => {
      let left = after;
      return {
        ...end,
        send(frame) {
          if (left-- > 0) end.send(frame);
          else end.close();
        },
      };
    };
    const [a, b] = connectionPair();
    const first = openChannel(breaking(a, 8), memoryChunks(MOST));
    const received = openChannel(b, kept);
    await expect(first.send(task, bytes)).rejects.toEqual(code('FEDERATION_PROTOCOL'));
    expect(await received.receive()).toBeUndefined();

    const appended: number[] = [];
    const watched: Chunks = {
      ...kept,
      append: (digest, offset, part) => {
        appended.push(offset);
        return kept.append(digest, offset, part);
      },
    };
    const [c, d] = connectionPair();
    const sent = openChannel(c, memoryChunks(MOST)).send(task, bytes);
    const { payload } = (await openChannel(d, watched).receive())!;
    await sent;
    expect(appended[0]).toBeGreaterThan(0);
    expect(Buffer.compare(await payload!.read(), bytes)).toBe(0);
  });

  it('sends no more of a payload that is withdrawn, and what comes after it', async () => {
    const [a, b] = connectionPair();
    const receiver = openChannel(b, memoryChunks(MOST));
    const sender = openChannel(a, memoryChunks(MOST));
    const digest = randomHex(32);
    const reading = Promise.withResolvers<void>();
    const going = Promise.withResolvers<void>();
    let reads = 0;
    const bytes = 3_000_000;
    const payload = {
      digest,
      bytes,
      read: async () => random(bytes),
      async readInto() {
        reads += 1;
        reading.resolve();
        await going.promise;
      },
    };
    const sent = sender.send(task, payload);
    await reading.promise;
    sender.withdraw(digest);
    await expect(sent).rejects.toEqual(code('PHASE_CLOSED'));
    going.resolve();
    const next = random(1_000_000);
    await sender.send({ ...task, remainingMs: 2 }, next);
    const arrived = (await receiver.receive())!;
    expect(arrived.message).toMatchObject({ remainingMs: 2 });
    expect(Buffer.compare(await arrived.payload!.read(), next)).toBe(0);
    // The window that was asked for, of the 3 MB.
    expect(reads).toBeLessThanOrEqual(2 ** 20 / (64 * 1024));
  });

  it('refuses a payload above its bound, and notifies the sender', async () => {
    const [a, b] = channels(1_000_000);
    const sent = a.send(task, random(1_000_001));
    const refused = code('ANSWER_INVALID');
    await Promise.all([b.receive(), sent].map((end) => expect(end).rejects.toEqual(refused)));
  });

  it('refuses a payload without its digest', async () => {
    const [a, b] = connectionPair();
    const payload = { digest: '0'.repeat(64), bytes: 3 };
    a.send(encodeFrame({ ...task, payload }, random(3)));
    await expect(openChannel(b, memoryChunks(MOST)).receive()).rejects.toEqual(
      code('ANSWER_INVALID'),
    );
  });

  it('ends at a kind of frame that it does not take now, and shares the event loop to decode others', async () => {
    const [a, b] = connectionPair();
    let decoded = 0;
    const turns: Turns = {
      run: async (work) => {
        decoded += 1;
        return work();
      },
    };
    const channel = openChannel(b, memoryChunks(MOST), { turns, takes: new Set(['task']) });
    a.send(encodeFrame(task));
    expect((await channel.receive())?.message).toEqual(task);
    expect(decoded).toBe(1);
    channel.takes(new Set(['fetch']));
    a.send(encodeFrame(task));
    await expect(channel.receive()).rejects.toEqual(code('FEDERATION_PROTOCOL'));
  });

  it('ends when more frames come than it asked for', async () => {
    const [a, b] = connectionPair();
    const flooded = openChannel(b, memoryChunks(MOST));
    for (let i = 0; i < 1000; i += 1) a.send(encodeFrame(task, random(0)));
    await expect(
      (async () => {
        while ((await flooded.receive()) !== undefined);
      })(),
    ).rejects.toEqual(code('FEDERATION_BUSY'));
  });

  it('ends when messages come faster than they are read', async () => {
    const [a, b] = connectionPair();
    openChannel(b, memoryChunks(MOST));
    const sender = openChannel(a, memoryChunks(MOST));
    const flood = async (): Promise<void> => {
      for (let i = 0; i < 1000; i += 1) {
        await sender.send(task, random(200_000));
        await new Promise(setImmediate);
      }
    };
    await expect(flood()).rejects.toEqual(code('FEDERATION_BUSY'));
  });
});

it.each([
  ['frees the memory of parts that are stored, while their payload waits to be whole', 0],
  ['leaves memory alone that has the beginning of another frame', 2],
])('%s', async (_, shared) => {
  const [a, b] = connectionPair();
  const frames: Uint8Array[] = [];
  /** The frame that `ws` gives: behind the header of a client, in the buffer that was read from the socket. */
  const asRead: Connection = {
    ...b,
    listen(listener) {
      b.listen({
        ...listener,
        onFrame(frame) {
          const header = frame.length < 126 ? 6 : frame.length < 2 ** 16 ? 8 : 14;
          const read = new Uint8Array(header + frame.length + shared);
          read.set(frame, header);
          const found = read.subarray(header, header + frame.length);
          frames.push(found);
          listener.onFrame(found);
        },
      });
    },
  };
  const chunks = memoryChunks(MOST);
  const [reached, turn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const receiver = openChannel(asRead, {
    ...chunks,
    async finish(...given) {
      reached.resolve();
      await turn.promise;
      return chunks.finish(...given);
    },
  });
  const sent = openChannel(a, memoryChunks(MOST)).send(task, random(300_000));
  await reached.promise;
  const parts = frames.slice(1);
  expect(parts.length).toBeGreaterThan(1);
  expect(parts.map(({ byteLength }) => byteLength === 0)).toEqual(parts.map(() => shared === 0));
  turn.resolve();
  await sent;
  const { payload } = (await receiver.receive())!;
  expect(Buffer.compare(await payload!.read(), random(300_000))).toBe(0);
});

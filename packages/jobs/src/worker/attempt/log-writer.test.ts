import { setImmediate as turn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { SkeinError } from '@skein/api/errors';
import { describe, expect, it } from 'vitest';
import { createLogWriter } from './log-writer.ts';

/**
 * A log as the store keeps it: a chunk at a known offset is not stored twice, and no chunk may be
 * missing.
 */
function storedLog() {
  let text = '';
  return {
    text: () => text,
    append(offset: number, chunk: Uint8Array): Promise<boolean> {
      if (offset > text.length) throw new Error(`bytes ${text.length} to ${offset} are missing`);
      text += Buffer.from(chunk)
        .toString('latin1')
        .slice(text.length - offset);
      return Promise.resolve(true);
    },
  };
}
const away = () => new SkeinError('STORE_UNREACHABLE', 'The store is away.');
const live = new AbortController().signal;
const noOne = () => {
  throw new Error('not stale');
};

describe('the log of an attempt', () => {
  it('arrives whole, whatever the chunks and however often the store is away', async () => {
    const chunk = fc.integer({ min: 0, max: 100_000 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(chunk, { maxLength: 8 }),
        fc.infiniteStream(fc.boolean()),
        async (sizes, luck) => {
          const stored = storedLog();
          let failures = 2;
          const writer = createLogWriter({
            maxBytes: 2 ** 20,
            signal: live,
            onStale: noOne,
            async append(offset, bytes) {
              const fails = failures > 0 && luck.next().value;
              if (fails && --failures % 2 === 0) throw away();
              await stored.append(offset, bytes);
              // The chunk is stored, but the answer is lost.
              if (fails) throw away();
              return true;
            },
          });
          const chunks = sizes.map((size, index) => Buffer.alloc(size, String(index)));
          for (const bytes of chunks) await writer.write(bytes);
          await writer.end();
          expect(stored.text()).toBe(Buffer.concat(chunks).toString());
        },
      ),
      { numRuns: 15 },
    );
  });

  it('is written one bounded chunk at a time, and the writer waits for buffer space', async () => {
    const sizes: number[] = [];
    const gates: (() => void)[] = [];
    let written = 0;
    const writer = createLogWriter({
      maxBytes: 2 ** 24,
      signal: live,
      onStale: noOne,
      append: (_, bytes) =>
        new Promise((resolve) => {
          sizes.push(bytes.byteLength);
          gates.push(() => resolve(true));
        }),
    });
    const writing = (async () => {
      for (; written < 100; written++) await writer.write(Buffer.alloc(100_000));
      await writer.end();
    })();
    for (let turns = 0; turns < 50; turns++) await turn();
    expect(sizes).toHaveLength(1);
    expect(written).toBeLessThan(15);
    let done = false;
    void writing.then(() => (done = true));
    while (!done) {
      expect(gates.length).toBeLessThanOrEqual(1);
      gates.pop()?.();
      await turn();
    }
    expect(Math.max(...sizes)).toBe(64 * 1024);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(10_000_000);
  });

  it('ends at its bound and notes it, once', async () => {
    const stored = storedLog();
    const writer = createLogWriter({ ...stored, maxBytes: 150, signal: live, onStale: noOne });
    for (let line = 0; line < 5; line++) await writer.write(Buffer.alloc(100, 'x'));
    await writer.end();
    expect(stored.text()).toBe(
      `${'x'.repeat(150)}\n[skein: the log is cut off here, after 150 bytes]\n`,
    );
  });

  it('adds no notice when it fits exactly', async () => {
    const stored = storedLog();
    const writer = createLogWriter({ ...stored, maxBytes: 100, signal: live, onStale: noOne });
    await writer.write(Buffer.alloc(100, 'x'));
    await writer.end();
    expect(stored.text()).toBe('x'.repeat(100));
  });

  it('stops, without blocking its writer, once the attempt is stale', async () => {
    let stale = 0;
    let appends = 0;
    const writer = createLogWriter({
      maxBytes: 2 ** 24,
      signal: live,
      onStale: () => stale++,
      append() {
        appends++;
        return Promise.resolve(false);
      },
    });
    for (let written = 0; written < 50; written++) await writer.write(Buffer.alloc(100_000));
    await writer.end();
    expect(stale).toBe(1);
    expect(appends).toBe(1);
  });

  it('releases a waiting writer when the lease ends while the store is away', async () => {
    const lease = new AbortController();
    const writer = createLogWriter({
      maxBytes: 2 ** 24,
      signal: lease.signal,
      onStale: noOne,
      append: () => Promise.reject(away()),
    });
    const writing = (async () => {
      for (let written = 0; written < 50; written++) await writer.write(Buffer.alloc(100_000));
    })();
    await turn();
    lease.abort('lost');
    await expect(writing.then(() => writer.end())).resolves.toBeUndefined();
  });
});

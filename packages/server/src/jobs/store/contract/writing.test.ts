/** What an attempt writes: its log, its progress. */
import { expect, it } from 'vitest';
import { LOG_BYTES } from '../bounds.ts';
import { code, overEveryStore } from '../testing/every-store.ts';
import { claimOne, enqueueOne, success } from '../testing/fixtures.ts';

overEveryStore('what an attempt writes', (at) => {
  it('keeps the log by offset: once, in order, within its bound', async () => {
    const id = await enqueueOne(at.store);
    const { token } = await claimOne(at.store);
    expect(await at.store.appendLog(token, 0, Buffer.from('äb'))).toBe(true);
    expect(await at.store.appendLog(token, 0, Buffer.from('äb'))).toBe(true);
    expect(await at.store.appendLog(token, 2, Buffer.from([98, 0, 255]))).toBe(true);
    await expect(at.store.appendLog(token, 9, Buffer.from('x'))).rejects.toEqual(
      code('REQUEST_INVALID'),
    );
    const whole = await at.store.log(id, 1, 0, 100);
    expect({ ...whole, chunk: [...whole.chunk] }).toEqual({
      chunk: [195, 164, 98, 0, 255],
      size: 5,
      ended: false,
    });
    expect([...(await at.store.log(id, 1, 1, 3)).chunk]).toEqual([164, 98, 0]);
    expect((await at.store.log(id, 1, 5, 10)).chunk).toHaveLength(0);
    const chunk = new Uint8Array(2 ** 20).fill(7);
    for (let offset = 5; offset < LOG_BYTES + 2 ** 21; offset += chunk.length) {
      expect(await at.store.appendLog(token, offset, chunk)).toBe(true);
    }
    await at.store.finish(token, success());
    const { size, ended } = await at.store.log(id, 1, 0, 0);
    expect({ size, ended }).toEqual({ size: LOG_BYTES, ended: true });
  });

  it('shows progress', async () => {
    const id = await enqueueOne(at.store);
    const { token } = await claimOne(at.store);
    expect(await at.store.progress(token, 1.5, 'more than all')).toBe(true);
    expect((await at.store.job(id))?.progress).toEqual({ fraction: 1, message: 'more than all' });
  });
});

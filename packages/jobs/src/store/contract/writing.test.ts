/** The writes of an attempt: its log, its progress. */
import { expect, it } from 'vitest';
import { LOG_BYTES, TENANT_LOG_BYTES } from '../bounds.ts';
import { code, overEveryStore } from '../testing/every-store.ts';
import { claimOne, enqueueOne, success } from '../testing/fixtures.ts';

overEveryStore('the writes of an attempt', (at) => {
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

  it(
    'bounds all logs of a tenant; the logs that ended first are removed first',
    { timeout: 120_000 },
    async () => {
      const chunk = new Uint8Array(LOG_BYTES).fill(7);
      const ids: string[] = [];
      const write = async (tenant: string, ends: boolean): Promise<void> => {
        ids.push(await enqueueOne(at.store, { tenant }));
        const { token } = await claimOne(at.store);
        await at.store.appendLog(token, 0, chunk);
        if (ends) await at.store.finish(token, success());
      };
      const sizes = () =>
        Promise.all(ids.map(async (id) => (await at.store.log(id, 1, 0, 0)).size / LOG_BYTES));
      await write('other', true);
      // A log that is still written is never cut by other logs of its tenant.
      await write('t', false);
      const fit = TENANT_LOG_BYTES / LOG_BYTES;
      for (let count = 1; count < fit; count++) await write('t', true);
      expect(await sizes()).toEqual(ids.map(() => 1));
      await write('t', true);
      expect((await sizes()).slice(0, 5)).toEqual([1, 1, 0, 1, 1]);
      // The removal of a job frees the bytes of its logs: without it, the first of two more logs would
      // be removed.
      await at.store.cancel(ids[1]!, 'enough');
      at.now += 2 * 3_600_000;
      await at.store.tick();
      expect(new Set(await sizes())).toEqual(new Set([0]));
      ids.length = 0;
      for (let count = 0; count < 2; count++) await write('t', true);
      expect(await sizes()).toEqual([1, 1]);
    },
  );

  it('shows progress', async () => {
    const id = await enqueueOne(at.store);
    const { token } = await claimOne(at.store);
    expect(await at.store.progress(token, 1.5, 'more than all')).toBe(true);
    expect((await at.store.job(id))?.progress).toEqual({ fraction: 1, message: 'more than all' });
  });
});

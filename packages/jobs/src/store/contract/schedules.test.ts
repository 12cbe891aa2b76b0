/** Jobs that schedules enqueue. */
import { expect, it } from 'vitest';
import { code, overEveryStore } from '../testing/every-store.ts';
import { job } from '../testing/fixtures.ts';

overEveryStore('schedules', (at) => {
  const schedule = {
    id: 'nightly',
    cron: '30 2 * * *',
    timeZone: 'Europe/Berlin',
    spec: job({ name: 'nightly' }),
    paused: false,
  };

  it('fires at the local time, once, also across the change to summer time', async () => {
    const { nextAt } = await at.store.putSchedule(schedule);
    expect(new Date(nextAt).toISOString()).toBe('2026-03-02T01:30:00.000Z');
    const other = await at.another();
    at.now = nextAt - 1;
    await Promise.all([at.store.tick(), other.tick()]);
    expect(await at.ids()).toEqual([]);
    at.now = nextAt;
    await Promise.all([at.store.tick(), other.tick(), at.store.tick(), other.tick()]);
    expect(await at.ids({ leaseMs: 1e10 })).toHaveLength(1);
    at.now = Date.UTC(2026, 2, 30, 12);
    await at.store.tick();
    expect(await at.ids()).toHaveLength(1);
    expect(new Date((await at.store.schedules())[0]?.nextAt ?? 0).toISOString()).toBe(
      '2026-03-31T00:30:00.000Z',
    );
    await other.close();
  });

  it('fires on time after a clock was ahead for a while, also where the store was opened since', async () => {
    const reopened = async () => at.reopen();
    for (const after of [async () => {}, reopened]) {
      await at.store.putSchedule({ ...schedule, cron: '* * * * *' });
      const right = at.now;
      await at.pass(365 * 86_400_000);
      expect(await at.ids({ leaseMs: 1e12 })).toHaveLength(1);
      at.now = right;
      await after();
      await at.store.tick();
      expect((await at.store.schedules())[0]?.nextAt).toBeLessThanOrEqual(right + 60_000);
      await at.pass(60_000);
      expect(await at.ids({ leaseMs: 1e12 })).toHaveLength(1);
    }
  });

  it('fires once for a time to which a clock is set back by a moment', async () => {
    const { nextAt } = await at.store.putSchedule({ ...schedule, cron: '* * * * *' });
    const reopened = async () => at.reopen();
    for (const after of [async () => {}, reopened]) {
      at.now = (await at.store.schedules())[0]!.nextAt;
      await at.store.tick();
      expect(await at.ids({ leaseMs: 1e12 })).toHaveLength(1);
      at.now -= 5;
      await after();
      await at.store.tick();
      at.now += 5;
      await at.store.tick();
      expect(await at.ids({ leaseMs: 1e12 })).toEqual([]);
    }
    expect((await at.store.schedules())[0]?.nextAt).toBe(nextAt + 120_000);
  });

  it('fires when it is put again in the moment in which it is due', async () => {
    const { nextAt } = await at.store.putSchedule(schedule);
    at.now = nextAt;
    const again = { ...schedule, spec: job({ name: 'replaced' }) };
    expect(await at.store.putSchedule(again)).toMatchObject({ nextAt });
    await at.store.tick();
    const [fired = '', ...others] = await at.ids();
    expect(others).toEqual([]);
    expect(await at.store.job(fired)).toMatchObject({ name: 'replaced' });
    expect(await at.store.putSchedule(again)).toMatchObject({ nextAt: nextAt + 86_400_000 });
  });

  it.each([{ paused: true }, { cron: '30 3 * * *' }, { timeZone: 'Europe/London' }])(
    'does not fire for the time that it had before it became %j',
    async (changed) => {
      const { nextAt } = await at.store.putSchedule(schedule);
      at.now = nextAt;
      const put = await at.store.putSchedule({ ...schedule, ...changed });
      expect(put.nextAt).toBeGreaterThan(nextAt);
      await at.store.tick();
      expect(await at.ids()).toEqual([]);
    },
  );

  it('does not fire while paused, or once removed', async () => {
    await at.store.putSchedule({ ...schedule, paused: true });
    await at.pass(3 * 86_400_000);
    expect(await at.store.schedules()).toMatchObject([{ id: 'nightly', paused: true }]);
    expect(await at.store.removeSchedule('nightly')).toBe(true);
    expect(await at.store.removeSchedule('nightly')).toBe(false);
    await at.pass(86_400_000);
    expect(await at.ids()).toEqual([]);
  });

  it('counts the times of its job from each time that it fires', async () => {
    const spec = { ...job({ name: 'due' }), finishWithinMs: 90_000 };
    await at.store.putSchedule({ ...schedule, cron: '* * * * *', spec });
    for (let minute = 0; minute < 3; minute += 1) {
      await at.pass(60_000);
      const [id = '', ...others] = await at.ids({ leaseMs: 1e10 });
      expect(others).toEqual([]);
      expect(await at.store.job(id)).toMatchObject({ state: 'running', deadline: at.now + 90_000 });
    }
    const later = { ...job({ name: 'later' }), startAfterMs: 30_000 };
    await at.store.putSchedule({ ...schedule, cron: '* * * * *', spec: later });
    await at.pass(60_000);
    expect(await at.ids({ leaseMs: 1e10 })).toEqual([]);
    await at.pass(30_000);
    expect(await at.ids({ leaseMs: 1e10 })).toHaveLength(1);
  });

  it('refuses an invalid schedule', async () => {
    const crons = [
      'often',
      '0 3 * *',
      '* * * * * *',
      '@midnight',
      '2026-03-02T00:00:00',
      '0 0 30 2 *',
    ];
    for (const wrong of [{ timeZone: 'Mars/Olympus' }, ...crons.map((cron) => ({ cron }))]) {
      await expect(at.store.putSchedule({ ...schedule, ...wrong })).rejects.toEqual(
        code('REQUEST_INVALID'),
      );
    }
  });

  it.each([
    ['61 3 * * *', 'minute: 61'],
    ['0 24 * * *', 'hour: 24'],
    ['0 0 0 * *', 'day: 0'],
    ['0 0 32 * *', 'day: 32'],
    ['0 0 1 13 *', 'month: 13'],
    ['0 0 * * 8', 'dayOfWeek: 8'],
  ])('names the value of %s that is wrong', async (cron, wrong) => {
    await expect(at.store.putSchedule({ ...schedule, cron })).rejects.toThrow(
      `is not valid: Invalid value for ${wrong}.`,
    );
  });

  it('makes other transitions when a schedule does not come again', async () => {
    // Croner ends at the year 3000.
    at.now = Date.UTC(2999, 11, 1);
    const { nextAt } = await at.store.putSchedule({ ...schedule, cron: '0 0 29 12 *' });
    expect(new Date(nextAt).getUTCFullYear()).toBe(2999);
    await at.store.enqueue([job({ id: 'later', notBefore: nextAt })]);
    at.now = nextAt;
    await at.store.tick();
    expect(await at.ids({ leaseMs: 1e10 })).toHaveLength(2);
    await at.pass(86_400_000);
    expect(await at.ids()).toEqual([]);
  });

  it('continues when an occurrence is refused', async () => {
    await at.store.putSchedule({ ...schedule, cron: '* * * * *' });
    await at.store.setQueueMode('q', 'draining');
    await at.pass(60_000);
    await at.store.setQueueMode('q', 'open');
    await at.pass(60_000);
    expect(await at.ids()).toHaveLength(1);
  });
});

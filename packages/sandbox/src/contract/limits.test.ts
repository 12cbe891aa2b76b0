/** Every limit, tried by a program that breaks it, with every driver that claims it. */
import { describe, expect, test } from 'vitest';
import { forEachDriver, LIMITS, MEBIBYTE } from '../testing/every-driver.ts';

forEachDriver((here) => {
  const { sh, isolates } = here;

  describe('a limit', () => {
    test('of cpu time, of all processes together, by the kernel’s account', async () => {
      const busy = await sh('while :; do :; done & while :; do :; done', {
        limits: { cpuMs: 300 },
      });
      expect(busy).toMatchObject({ endedBy: 'cpu-limit', exitCode: null });
      expect(busy.usage.cpuMs).toBeGreaterThan(300);
      expect(busy.usage.cpuMs).toBeLessThan(600);
    });

    test('of wall time, which sleeping uses and cpu time does not bound', async () => {
      const asleep = await sh('sleep 60', { limits: { wallMs: 400 } });
      expect(asleep.endedBy).toBe('wall-limit');
      // A timer may be early by a millisecond.
      expect(asleep.usage.wallMs).toBeGreaterThan(398);
      expect(asleep.usage.cpuMs).toBeLessThan(200);
    });

    test('of memory, and the peak is counted', async () => {
      const bomb = await sh('head -c 300000000 /dev/zero | tail');
      expect(bomb.endedBy).toBe('out-of-memory');
      expect(bomb.usage.peakMemoryBytes).toBeLessThanOrEqual(LIMITS.memoryBytes);
      const large = await sh('head -c 30000000 /dev/zero | tail | wc -c');
      expect(large).toMatchObject({ endedBy: 'exit', out: '30000000\n' });
      expect(large.usage.peakMemoryBytes).toBeGreaterThan(28 * MEBIBYTE);
    });

    test('of processes', async () => {
      const crowd = 'for i in 1 2 3 4 5 6 7 8; do sleep 30 & done; echo all';
      const { out, endedBy } = await sh(crowd, { limits: { pids: 5 } });
      expect([endedBy, out]).toEqual(['exit', '']);
      expect((await sh(crowd, { limits: { pids: 20 } })).out).toBe('all\n');
    });

    test('of output, of both streams together', async () => {
      const flood = await sh('yes & yes >&2', { limits: { outputBytes: 10_000 } });
      expect(flood.endedBy).toBe('output-limit');
      expect(flood.out.length + flood.err.length).toBe(10_000);
      expect(flood.usage.outputBytes).toBe(10_000);
      const exact = await sh('head -c 10000 /dev/zero', { limits: { outputBytes: 10_000 } });
      expect(exact).toMatchObject({ endedBy: 'exit', usage: { outputBytes: 10_000 } });
    });

    test('of one file', async () => {
      const { exitCode, out } = await sh(
        'head -c 9000 /dev/zero > f; s=$?; wc -c < f; rm f; exit $s',
        { limits: { fileBytes: 4096 } },
      );
      expect(exitCode).not.toBe(0);
      expect(Number(out)).toBeLessThanOrEqual(4096);
    });

    test.runIf(isolates)('of the disk', async () => {
      const { exitCode, err } = await sh(
        'for i in 1 2 3; do head -c 8000000 /dev/zero > d$i || exit 3; done',
      );
      expect(exitCode).toBe(3);
      expect(err).toMatch(/No space left/);
      expect((await sh('rm d*; head -c 8000000 /dev/zero > d; rm d')).exitCode).toBe(0);
    });

    test('cannot be widened by a command', async () => {
      const { endedBy } = await sh('head -c 300000000 /dev/zero | tail', {
        limits: { memoryBytes: 1e12 },
      });
      expect(endedBy).toBe('out-of-memory');
    });
  });
});

import { describe, expect, it } from 'vitest';
import { requireComponent } from '../../../scripts/testing/components.ts';
import type { Limits, SandboxName } from './contract.ts';
import { openDriver } from './drivers.ts';
import { createProcessSandbox } from './process/process.ts';
import { runUntrusted, type UntrustedCommand } from './run-untrusted.ts';

const bubblewrap = requireComponent('bubblewrap');

describe.skipIf(bubblewrap.skip)('runUntrusted', () => {
  it('gives a program its files and stdin, and returns its output', async () => {
    const result = await runUntrusted({
      argv: ['sh', '-c', 'cat greeting -; echo $WORD >&2; exit 3'],
      files: { greeting: 'hello\n' },
      stdin: 'world\n',
      env: { WORD: 'well' },
    });
    expect(result).toMatchObject({
      endedBy: 'exit',
      exitCode: 3,
      stdout: 'hello\nworld\n',
      stderr: 'well\n',
      sandbox: 'bubblewrap',
    });
    expect(result.usage.wallMs).toBeGreaterThan(0);
  });

  it('ends a program that exceeds its time or memory', async () => {
    const slow = await runUntrusted({ argv: ['sleep', '60'], limits: { wallMs: 300 } });
    expect(slow.endedBy).toBe('wall-limit');
    const loud = await runUntrusted({ argv: ['yes'], limits: { outputBytes: 4096 } });
    expect(loud.endedBy).toBe('output-limit');
    expect(loud.stdout.length).toBeLessThanOrEqual(4096);
  });

  it('gives limits that are undefined their defaults, and refuses parts of a byte', async () => {
    const limits = { wallMs: undefined } as unknown as Partial<Limits>;
    expect(await runUntrusted({ argv: ['true'], limits })).toMatchObject({ exitCode: 0 });
    for (const each of [{ pids: 3.5 }, { memoryBytes: 2 ** 26 + 0.5 }, { diskBytes: 0.5 }]) {
      await expect(runUntrusted({ argv: ['true'], limits: each })).rejects.toMatchObject({
        code: 'REQUEST_INVALID',
        message: expect.stringContaining('whole number'),
      });
    }
  });

  it('refuses what is neither text nor bytes', async () => {
    const wrong = [
      undefined,
      null,
      { argv: 'true' },
      { argv: ['echo', 5] },
      { argv: ['env'], env: { COUNT: 5 } },
      { argv: ['ls'], files: { a: 5 } },
      { argv: ['cat'], stdin: 5 },
      { argv: ['cat'], stdn: 'x' },
      { argv: ['ls'], files: null },
      { argv: ['ls'], files: ['a'] },
      { argv: ['env'], env: null },
      { argv: ['env'], env: ['A=1'] },
      { argv: ['ls'], limits: null },
      { argv: ['ls'], drivers: ['bubblewrap'] },
      { argv: ['ls'], drivers: [] },
    ];
    for (const command of wrong) {
      await expect(runUntrusted(command as unknown as UntrustedCommand)).rejects.toMatchObject({
        code: 'REQUEST_INVALID',
      });
    }
    await expect(openDriver('chroot' as SandboxName)).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
      message: expect.stringContaining('there are bubblewrap'),
    });
  });

  it.each<[Partial<Limits>, string]>([
    [{ memoryByte: 2 ** 20 } as object, 'limits.memoryByte is not a limit'],
    [{ memoryBytes: 4096 }, 'limits.memoryBytes is 4096; it must be at least 1048576'],
  ])('refuses a limit that would not hold: %o', async (limits, message) => {
    await expect(runUntrusted({ argv: ['true'], limits })).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
      message: expect.stringContaining(message),
    });
  });

  it('shows no file of the host but the given ones', async () => {
    const { stdout } = await runUntrusted({
      argv: ['sh', '-c', 'ls /root /home; cat /etc/shadow; touch /usr/x && echo written'],
    });
    expect(stdout).not.toMatch(/written|root:/);
  });
});

it('refuses a driver without isolation, and leaves it open for its owner', async () => {
  const driver = createProcessSandbox();
  await expect(runUntrusted({ argv: ['true'], drivers: [driver] })).rejects.toMatchObject({
    code: 'SANDBOX_UNAVAILABLE',
    message: expect.stringContaining('process: not for untrusted work'),
  });
  expect(await driver.availability()).toMatchObject({ available: true });
  await driver.close();
});

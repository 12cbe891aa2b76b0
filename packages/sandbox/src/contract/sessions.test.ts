/** Sessions: several at once, after their end, and refused when a limit cannot be enforced. */
import { expect, test } from 'vitest';
import type { SandboxSession, SessionOptions } from '../contract.ts';
import { forEachDriver, LIMITS, processesWith, untilOutput } from '../testing/every-driver.ts';

forEachDriver((here) => {
  const { options, isolates } = here;

  test('two sessions talk to each other over pipes', async () => {
    const other = await here.driver.open(options);
    const start = (where: SandboxSession, script: string) =>
      where.start({ argv: ['sh', '-c', script], workspace: 'writable', stdin: 'pipe' });
    const guesser = start(
      here.session,
      'read -r first; echo $((first * 2)); read -r last; [ "$last" = right ]',
    );
    const judge = start(other, 'echo 21; read -r answer; [ "$answer" = 42 ] && echo right');
    guesser.stderr.resume();
    judge.stderr.resume();
    if (guesser.stdin === undefined || judge.stdin === undefined) throw new Error('no pipes');
    guesser.stdout.pipe(judge.stdin);
    judge.stdout.pipe(guesser.stdin);
    expect([(await guesser.ended).exitCode, (await judge.ended).exitCode]).toEqual([0, 0]);
    await other.close();
  });

  test('a closed session has left nothing, and refuses commands', async () => {
    const mark = `61.${Math.floor(Math.random() * 1e9)}`;
    const closing = await here.driver.open(options);
    const command = closing.start({
      argv: ['sh', '-c', `echo ready; sleep ${mark}`],
      workspace: 'writable',
    });
    await untilOutput(command.stdout, 'ready');
    await closing.close();
    expect((await command.ended).endedBy).toBe('killed');
    expect(processesWith(mark)).toEqual([]);
    await closing.close();
    expect(() => closing.start({ argv: ['true'], workspace: 'writable' })).toThrow(/closed/);
  });

  test('options that would not hold as they are meant are refused', async () => {
    const wrong: [unknown, string][] = [
      [undefined, 'its options must be an object'],
      [{ ...options, limits: undefined }, 'limits must be an object'],
      [{ ...options, limits: { ...options.limits, memory: 1 } }, 'limits.memory is not a limit'],
      [{ ...options, network: 'nothing' }, 'network must be "none", "host" or'],
      [{ ...options, untrusted: undefined }, 'untrusted must be true or false'],
      [{ ...options, mounts: undefined }, 'mounts must be a list'],
    ];
    for (const [given, message] of wrong) {
      await expect(here.driver.open(given as SessionOptions)).rejects.toMatchObject({
        code: 'REQUEST_INVALID',
        message: expect.stringContaining(message),
      });
    }
    await expect(here.sh('true', { limits: { memory: 1 } as object })).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
  });

  test('a limit that cannot be enforced is refused, with the missing piece', async () => {
    const refusal = (more: Partial<SessionOptions>) =>
      expect(here.driver.open({ ...options, ...more })).rejects;
    const unsupported = { code: 'SANDBOX_UNSUPPORTED' };
    const found = await here.driver.availability();
    if (!found.available) throw new Error(found.reason);
    if (!found.enforcement.network.allowList) {
      await refusal({ network: { allow: ['example.org:443'] } }).toMatchObject(unsupported);
    }
    if (!found.enforcement.untrusted) {
      await refusal({ untrusted: true, network: 'none' }).toThrow(/isolates nothing/);
      await refusal({ network: 'none' }).toMatchObject(unsupported);
      await refusal({ limits: LIMITS }).toThrow(
        /limits\.diskBytes = 16777216 .*bubblewrap or docker/s,
      );
      await refusal({ image: '/' }).toMatchObject(unsupported);
    }
    await refusal({ limits: { ...options.limits, pids: 0 } }).toMatchObject({
      code: 'REQUEST_INVALID',
    });
    await refusal({ limits: { ...options.limits, wallMs: Number.NaN } }).toThrow(
      /limits\.wallMs is NaN/,
    );
  });

  test('it reports the limits that it enforces', async () => {
    const found = await here.driver.availability();
    expect(found).toMatchObject({ available: true, enforcement: { untrusted: isolates } });
    expect(here.driver.name).toBe(here.name);
  });
});

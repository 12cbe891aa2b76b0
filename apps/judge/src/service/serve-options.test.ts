/** A judge with limits, without a sandbox, without problems, and one that stops. */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { ECHO, serving } from '../testing/serving.ts';

const TIMEOUT = 90_000;

it.skipIf(requireComponent('bubblewrap').skip)(
  'limits the rate of each user separately, and names the time of a retry',
  async () => {
    await using serve = await serving(
      { echo: {} },
      { driver: 'bubblewrap', limits: { submissionsPerMinute: 2, waitingPerUser: 3 } },
    );
    const [dave, erin] = [await serve.user('dave'), await serve.user('erin')];
    const given = { problem: 'echo', language: 'python3', source: ECHO };
    // All at once: a limit that is checked too early would accept more of them.
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => dave.call('POST', 'submissions', given)),
    );
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([
      201, 201, 429, 429, 429,
    ]);
    const refused = answers.find(({ status }) => status === 429);
    const retryAfter = Number(refused?.headers.get('retry-after'));
    expect(retryAfter).toBeGreaterThan(30);
    expect(retryAfter).toBeLessThanOrEqual(60);
    expect(refused?.body).toMatchObject({ code: 'RATE_LIMITED' });
    expect((await erin.call('POST', 'submissions', given)).status).toBe(201);
  },
  TIMEOUT,
);

it.skipIf(requireComponent('bubblewrap').skip)(
  'takes submissions after the clock was set back',
  async () => {
    const now = Date.now();
    vi.useFakeTimers({ toFake: ['Date'], now: now + 3_600_000 });
    onTestFinished(() => void vi.useRealTimers());
    await using serve = await serving(
      { echo: {} },
      { driver: 'bubblewrap', limits: { submissionsPerMinute: 1 } },
    );
    const given = { problem: 'echo', language: 'python3', source: ECHO };
    const submit = async () => (await serve.admin.call('POST', 'submissions', given)).status;
    expect([await submit(), await submit()]).toEqual([201, 429]);
    vi.setSystemTime(now);
    expect([await submit(), await submit()]).toEqual([201, 429]);
  },
  TIMEOUT,
);

it('starts without a sandbox, explains itself, and judges nothing', async () => {
  vi.stubEnv('DOCKER_HOST', 'unix:///nowhere/docker.sock');
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  await using serve = await serving({ echo: {} }, { driver: 'docker' });
  expect(serve.judge.worker).toBeUndefined();
  expect(await serve.anonymous.get('judge')).toMatchObject({
    judges: false,
    reason: expect.stringMatching(/docker.*bubblewrap/s),
  });
  const refused = await serve.admin.call('POST', 'submissions', {
    problem: 'echo',
    language: 'python3',
    source: ECHO,
  });
  expect(refused).toMatchObject({ status: 503, body: { code: 'JUDGE_SANDBOX' } });
  expect(await serve.anonymous.get('problems/echo')).toMatchObject({ name: 'Echo' });
});

it('stops while a request is incomplete', async () => {
  await using serve = await serving({ echo: {} }, { parallel: 'none' });
  const half = connect(Number(new URL(serve.url).port), '127.0.0.1');
  onTestFinished(() => void half.destroy());
  half.on('error', () => undefined);
  const head = `POST /api/v1/submissions HTTP/1.1\r\nHost: judge\r\nAuthorization: Bearer ${serve.admin.key}\r\n`;
  half.write(`${head}Expect: 100-continue\r\nContent-Length: 9\r\n\r\n`);
  // The client never continues the request.
  await once(half, 'data');
  await serve.judge.close();
  await expect(fetch(serve.url)).rejects.toThrow('fetch failed');
});

it('starts with no problems, and not without their folder', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'skein-empty-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'README.txt'), 'no package');
  const gone = join(folder, 'gone');
  symlinkSync('/nowhere', gone);
  await using serve = await serving({}, { parallel: 'none', problems: folder });
  expect(await serve.anonymous.get('problems')).toEqual({ problems: [] });
  const reason = `"${gone}" cannot be read: there is no such file or folder.`;
  expect(serve.judge.broken).toEqual([{ name: 'gone', reason }]);
  const none = join(folder, 'none');
  await expect(serving({}, { parallel: 'none', problems: none })).rejects.toMatchObject({
    code: 'FILE_UNREADABLE',
    message: `"${none}" cannot be read: there is no such file or folder.`,
  });
});

/** The judge over HTTP, with its own worker and real sandboxes. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { describeOverDrivers } from '../testing/judge-sandboxes.ts';
import { type Caller, ECHO, serving, type Serving } from '../testing/serving.ts';
import type { SubmissionSummary } from './api.ts';
import { StandingsView, SubmissionView as SubmissionSchema } from './api.ts';

const TIMEOUT = 90_000;
const HOSTILE = '<img src=x onerror=alert(1)>';

const PROBLEMS = {
  echo: {},
  hostile: {
    'problem.yaml': `problem_format_version: 2025-09\nname: "${HOSTILE}"\nuuid: h\nlicense: cc0\nrights_owner: Us\nlimits:\n  time_limit: 1\n  memory: 256\n`,
    'statement/problem.en.md': `${HOSTILE} [x](javascript:alert(1)) <script>alert(1)</script>\n`,
    'statement/picture.svg':
      '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    'attachments/notes.html': HOSTILE,
  },
  later: {
    'problem.yaml':
      'problem_format_version: 2025-09\nname: Later\nuuid: l\nlicense: cc0\nrights_owner: Us\nembargo_until: 2999-01-01\nlimits:\n  time_limit: 1\n',
  },
  measured: {
    'problem.yaml':
      'problem_format_version: 2025-09\nname: Measured\nuuid: m\nlicense: cc0\nrights_owner: Us\nlimits:\n  memory: 256\n',
  },
  broken: { 'problem.yaml': 'problem_format_version: 2025-09\nname: Broken\n' },
} as const;

describeOverDrivers('a judge with', (driver) => {
  let serve: Serving;
  let alice: Caller;
  let bob: Caller;

  beforeAll(async () => {
    serve = await serving(PROBLEMS, { driver });
    alice = await serve.user('alice');
    bob = await serve.user('bob');
  }, TIMEOUT);
  afterAll(() => serve?.[Symbol.asyncDispose]());

  it('lists what it judges, and to admins the packages that it left out', async () => {
    expect(await serve.anonymous.get('judge')).toMatchObject({
      judges: true,
      workers: 1,
      languages: expect.arrayContaining([
        expect.objectContaining({ code: 'python3', available: true }),
        expect.objectContaining({ code: 'rust' }),
      ]),
    });
    expect(await serve.anonymous.get('judge')).not.toHaveProperty('brokenPackages');
    expect(await serve.admin.get('judge')).toMatchObject({
      brokenPackages: [{ name: 'broken', reason: expect.stringContaining('problem.yaml') }],
    });
  });

  it('shows problems, with no markup but its own', async () => {
    const { problems } = await serve.anonymous.get<{ problems: { id: string }[] }>('problems');
    expect(problems.map(({ id }) => id)).toEqual(['echo', 'hostile', 'measured']);
    expect(await serve.anonymous.get('problems/echo')).toMatchObject({
      name: 'Echo',
      timeMs: 1000,
      memoryBytes: 256 * 2 ** 20,
      samples: [{ input: '1\n', output: '1\n' }],
      tests: 3,
    });
    expect(await serve.anonymous.get('problems/hostile')).toMatchObject({ name: HOSTILE });
    const { html } = await serve.anonymous.get<{ html: string }>('problems/hostile/statement');
    expect(html).not.toMatch(/<script|<img|href="javascript/);
    expect(html).toContain('&lt;script&gt;');
    const picture = await serve.anonymous.call(
      'GET',
      'problems/hostile/files/statement/picture.svg',
    );
    expect(picture.headers.get('content-security-policy')).toContain('sandbox');
    const notes = await serve.anonymous.call(
      'GET',
      'problems/hostile/files/attachments/notes.html',
    );
    expect(notes.headers.get('content-disposition')).toBe('attachment');
    for (const secret of ['data/secret/1.ans', 'problem.yaml', '..%2Fecho%2Fproblem.yaml']) {
      expect((await serve.anonymous.call('GET', `problems/echo/files/${secret}`)).status).toBe(404);
    }
  });

  it('keeps an embargo for all but admins', async () => {
    expect((await alice.call('GET', 'problems/later')).status).toBe(404);
    expect((await serve.admin.call('GET', 'problems/later')).status).toBe(200);
    expect(
      (await alice.call('POST', 'submissions', { problem: 'later', language: 'c', source: 'x' }))
        .body,
    ).toMatchObject({ code: 'PROBLEM_UNKNOWN' });
  });

  it(
    'judges a submission live, test by test',
    async () => {
      const submitted = await alice.submit('echo', ECHO);
      expect(submitted).toMatchObject({ user: 'alice', state: 'waiting', language: 'python3' });
      const events = await alice.events(submitted.id);
      expect(events[0]).toMatchObject({ event: 'submission' });
      expect(events.filter(({ event }) => event === 'judged')).toHaveLength(1);
      const names = events.flatMap(({ event, data }) =>
        event === 'test' ? [(data['test'] as { name: string }).name] : [],
      );
      const seen = new Set([
        ...names,
        ...events.flatMap(({ data }) =>
          ((data['tests'] ?? []) as { name: string }[]).map(({ name }) => name),
        ),
      ]);
      expect(seen).toEqual(new Set(['sample/1', 'secret/1', 'secret/2']));
      const view = SubmissionSchema.strict().parse(events.at(-1)?.data);
      expect(view).toMatchObject({ verdict: 'AC', state: 'judged', attempt: 1 });
      expect(view.tests.map(({ name, verdict }) => [name, verdict])).toEqual([
        ['sample/1', 'AC'],
        ['secret/1', 'AC'],
        ['secret/2', 'AC'],
      ]);
      for (const test of view.tests) {
        expect(test.cpuMs).toBeGreaterThan(0);
        expect(test.memoryBytes).toBeGreaterThan(0);
      }
      // The stream of a submission that is judged already holds its verdict and ends.
      expect((await alice.events(submitted.id)).map(({ event }) => event)).toEqual(['judged']);
    },
    TIMEOUT,
  );

  it(
    'distinguishes verdicts, with the failing test and the compiler’s messages',
    async () => {
      const wrong = await bob.submit('echo', 'x = input()\nprint(x if x != "3" else 4)\n');
      const broken = await bob.submit('echo', 'int main() { return fish; }', 'c');
      const unclear = await bob.call('POST', 'submissions', {
        problem: 'echo',
        language: 'python3',
        files: [
          { path: 'a.py', content: ECHO },
          { path: 'b.py', content: ECHO },
        ],
      });
      expect(await bob.verdict(wrong.id)).toMatchObject({ verdict: 'WA', failingTest: 'secret/2' });
      expect(await bob.verdict(broken.id)).toMatchObject({
        verdict: 'CE',
        compileOutput: expect.stringContaining('fish'),
      });
      expect(await bob.verdict((unclear.body as SubmissionSummary).id)).toMatchObject({
        verdict: 'CE',
        reason: expect.stringContaining('main.py'),
      });
    },
    TIMEOUT,
  );

  it(
    'measures the time limit of a problem that gives none, once for all submissions',
    async () => {
      const measured = async (): Promise<number | undefined> =>
        (await serve.anonymous.get<{ timeMs?: number }>('problems/measured')).timeMs;
      await vi.waitUntil(measured, { timeout: TIMEOUT, interval: 100 });
      expect(await measured()).toBeGreaterThanOrEqual(1000);
      const own = await bob.submit('measured', ECHO);
      await alice.submit('measured', 'print(2)\n');
      expect(await bob.verdict(own.id)).toMatchObject({ verdict: 'AC' });
    },
    TIMEOUT,
  );

  it('shows programs to their authors and admins alone', async () => {
    const { submissions } = await alice.get<{ submissions: SubmissionSummary[] }>('submissions');
    const own = submissions.at(-1);
    expect(submissions.every(({ user }) => user === 'alice')).toBe(true);
    for (const path of ['', '/source', '/events']) {
      const at = `submissions/${own?.id}${path}`;
      expect((await bob.call('GET', at)).body).toMatchObject({ code: 'SCOPE_MISSING' });
      expect((await serve.anonymous.call('GET', at)).status).toBe(401);
      expect((await serve.admin.call('GET', at)).status).toBe(200);
    }
    expect(await alice.get(`submissions/${own?.id}/source`)).toEqual({
      files: [{ path: 'main.py', content: ECHO }],
    });
    expect((await bob.call('GET', 'submissions?user=alice')).status).toBe(403);
    const all = await serve.admin.get<{ submissions: SubmissionSummary[] }>('submissions');
    expect(new Set(all.submissions.map(({ user }) => user))).toEqual(new Set(['alice', 'bob']));
  });

  it(
    'judges again for admins: one, or all to a problem, and keeps the earlier judgements',
    async () => {
      const own = '?problem=measured';
      const all = await serve.admin.get<{ submissions: SubmissionSummary[] }>(`submissions${own}`);
      const [second, first] = all.submissions.map(({ id }) => id);
      const id = first!;
      await serve.admin.verdict(second!);
      for (const path of [`submissions/${id}/rejudge`, 'problems/measured/rejudge']) {
        expect((await alice.call('POST', path)).body).toMatchObject({ code: 'SCOPE_MISSING' });
      }
      expect((await serve.admin.call('POST', `submissions/${id}/rejudge`)).status).toBe(202);
      expect((await serve.admin.call('POST', `submissions/${id}/rejudge`)).body).toMatchObject({
        code: 'SUBMISSION_UNFINISHED',
      });
      expect(await bob.verdict(id)).toMatchObject({
        verdict: 'AC',
        judging: 2,
        earlier: [{ judging: 1, verdict: 'AC' }],
        tests: { length: 3 },
      });
      const { body, status } = await serve.admin.call('POST', 'problems/measured/rejudge');
      expect(status).toBe(202);
      expect(body).toEqual({ submissions: [first, second], skipped: 0 });
      expect(await serve.admin.verdict(second!)).toMatchObject({ verdict: 'WA', judging: 2 });
      expect(await bob.verdict(id)).toMatchObject({ judging: 3, verdict: 'AC' });
    },
    TIMEOUT,
  );

  it('ranks users by solved problems and by scores', async () => {
    const standings = StandingsView.parse(await serve.anonymous.get('standings'));
    expect(standings.passFail.map(({ user }) => user)).toEqual(['alice', 'bob']);
    expect(standings.problems.map(({ id }) => id)).not.toContain('later');
  });

  it('refuses what it cannot judge, each with a code and a fix', async () => {
    const post = (body: unknown) => alice.call('POST', 'submissions', body);
    const echo = { problem: 'echo', language: 'python3', source: ECHO };
    const cases: [unknown, number, string, string][] = [
      [{ ...echo, problem: 'none' }, 404, 'PROBLEM_UNKNOWN', '"none"'],
      [{ ...echo, language: 'cobol' }, 422, 'SUBMISSION_INVALID', '"cobol"'],
      [{ problem: 'echo', source: ECHO }, 422, 'SUBMISSION_INVALID', 'language'],
      [{ ...echo, files: [] }, 422, 'SUBMISSION_INVALID', 'either'],
      [
        { problem: 'echo', files: [{ path: '../x.py', content: '' }] },
        422,
        'SUBMISSION_INVALID',
        '../x.py',
      ],
      [
        { problem: 'echo', files: [{ path: 'x.tar', content: '' }] },
        422,
        'SUBMISSION_INVALID',
        'language',
      ],
      [{ ...echo, source: ' '.repeat(200_000) }, 422, 'SUBMISSION_INVALID', '200000 bytes'],
      [{ ...echo, source: ' '.repeat(17 * 2 ** 20) }, 413, 'BODY_TOO_LARGE', 'bytes'],
      [{ ...echo, surprise: 1 }, 400, 'REQUEST_INVALID', 'surprise'],
      ['{', 400, 'BODY_NOT_JSON', 'JSON'],
    ];
    for (const [given, status, code, said] of cases) {
      const answer = await post(given);
      expect(answer.body).toMatchObject({
        code,
        error: expect.stringContaining(said),
        fix: expect.stringMatching(/./),
      });
      expect(answer.status).toBe(status);
    }
    expect((await alice.call('GET', 'submissions/99999')).body).toMatchObject({
      code: 'SUBMISSION_UNKNOWN',
    });
    expect((await alice.call('GET', 'submissions/x')).body).toMatchObject({
      code: 'REQUEST_INVALID',
    });
    expect((await alice.call('GET', '/api/v1/nothing')).status).toBe(404);
    const wrong = await alice.call('DELETE', 'problems');
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('gives keys to admins’ users, and revokes them from the next call on', async () => {
    expect((await alice.call('GET', 'users')).status).toBe(403);
    expect((await serve.admin.call('POST', 'users', { name: 'alice' })).status).toBe(409);
    expect((await serve.admin.call('POST', 'users', { name: '../x' })).status).toBe(400);
    const carol = await serve.user('carol');
    expect(await carol.get('me')).toEqual({ name: 'carol', admin: false });
    const { users } = await serve.admin.get<{ users: { name: string; keys: { id: string }[] }[] }>(
      'users',
    );
    const id = users.find(({ name }) => name === 'carol')!.keys[0]!.id;
    expect(carol.key).toContain(id);
    await serve.admin.call('DELETE', `keys/${id}`);
    expect((await carol.call('GET', 'me')).body).toMatchObject({ code: 'KEY_INVALID' });
    expect((await serve.anonymous.call('GET', 'me')).body).toMatchObject({
      code: 'KEY_MISSING',
      fix: expect.stringContaining('skein-judge users'),
    });
  });

  it(
    'ends the stream of a user whose key is revoked, and says why',
    async () => {
      const dora = await serve.user('dora');
      const slow = await dora.submit('echo', 'import time\ntime.sleep(60)\n');
      const opened = await fetch(`${serve.url}/api/v1/submissions/${slow.id}/events`, {
        headers: { authorization: `Bearer ${dora.key}` },
      });
      const reader = opened.body!.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      const until = async (wanted: string): Promise<void> => {
        while (!text.includes(wanted)) {
          const { value, done } = await reader.read();
          if (done) throw new Error(`The stream ended without ${wanted}: ${text}`);
          text += value;
        }
      };
      await until('event: submission\n');
      await serve.admin.call('DELETE', `keys/${dora.key?.split('_')[1]}`);
      await until('event: error\ndata: {"error":"The API key');
      expect(text).toContain('"code":"KEY_INVALID"');
      expect(text).not.toContain('event: judged');
      await serve.admin.verdict(slow.id);
    },
    TIMEOUT,
  );

  it('keeps its answers from pages of other origins, and takes compressed bodies', async () => {
    for (const path of ['/', '/api/v1/judge', '/api/v1/problems/echo', '/nothing']) {
      const { headers } = await serve.anonymous.call('GET', path);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
      expect(headers.get('access-control-allow-origin')).toBeNull();
    }
    const body = gzipSync(JSON.stringify({ problem: 'echo', language: 'cobol', source: ECHO }));
    const headers = { authorization: `Bearer ${alice.key}`, 'content-encoding': 'gzip' };
    const answer = await fetch(`${serve.url}/api/v1/submissions`, {
      method: 'POST',
      headers,
      body,
    });
    expect(await answer.json()).toMatchObject({ code: 'SUBMISSION_INVALID' });
  });

  it('describes its API, and serves a page that loads nothing from other origins', async () => {
    const { body } = await serve.anonymous.call('GET', '/openapi.json');
    expect(Object.keys((body as { paths: object }).paths)).toContain(
      '/api/v1/submissions/{submission}/events',
    );
    const page = await serve.anonymous.call('GET', '/');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page.body).not.toMatch(/https?:\/\//);
  });
});

it.skipIf(requireComponent('bubblewrap').skip)(
  'limits the rate of each user separately, and says when to retry',
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
  const folder = join((await import('node:os')).tmpdir(), `skein-empty-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'README.txt'), 'no package');
  await using serve = await serving({}, { parallel: 'none', problems: folder });
  expect(await serve.anonymous.get('problems')).toEqual({ problems: [] });
  await expect(serving({}, { parallel: 'none', problems: join(folder, 'none') })).rejects.toThrow(
    /ENOENT/,
  );
});

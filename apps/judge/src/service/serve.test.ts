/** The judge over HTTP, with its own worker and real sandboxes. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { describeOverDrivers } from '../testing/judge-sandboxes.ts';
import { folderAmongPrograms, packageFolder } from '../testing/package-folder.ts';
import { type Caller, ECHO, serving, type Serving } from '../testing/serving.ts';
import type { SubmissionSummary } from './api/schemas.ts';
import { StandingsView, SubmissionView as SubmissionSchema } from './api/schemas.ts';

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

const UNPRIVILEGED = process.getuid?.() !== 0 || requireComponent('bubblewrap').skip;

it.skipIf(UNPRIVILEGED)(
  'shows no submission the problems and the data, not even among the programs of the machine',
  async () => {
    const place = folderAmongPrograms();
    const problems = join(place, 'problems');
    cpSync(packageFolder({}), join(problems, 'echo'), { recursive: true });
    const dataFolder = join(place, 'data');
    await using serve = await serving({}, { driver: 'bubblewrap', problems, dataFolder });
    const source = `import os\nfor at, _, files in os.walk("${place}"): assert not files, at\n${ECHO}`;
    const { id } = await serve.admin.submit('echo', source);
    expect(await serve.admin.verdict(id)).toMatchObject({ verdict: 'AC' });
    const read = `print(open("${problems}/echo/data/sample/1.ans").read())\n`;
    const copied = await serve.admin.submit('echo', read);
    expect(await serve.admin.verdict(copied.id)).toMatchObject({ verdict: 'RTE' });
  },
  TIMEOUT,
);

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
      expect((await bob.call('GET', at)).body).toMatchObject({
        code: 'SCOPE_MISSING',
        fix: expect.stringContaining('a key of the author or of an admin'),
      });
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
      const again = await serve.admin.call('POST', 'problems/measured/rejudge');
      expect(again.body).toEqual({ submissions: [], skipped: 2 });
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
      [{ ...echo, source: 'print("\ud83d")' }, 422, 'SUBMISSION_INVALID', 'surrogate'],
      [
        { problem: 'echo', files: [{ path: 'x.py', content: '\udc00' }] },
        422,
        'SUBMISSION_INVALID',
        'x.py',
      ],
      [{ ...echo, source: ' '.repeat(200_000) }, 422, 'SUBMISSION_INVALID', '200000 bytes'],
      [{ ...echo, source: ' '.repeat(17 * 2 ** 20) }, 413, 'BODY_TOO_LARGE', 'bytes'],
      [{ ...echo, surprise: 1 }, 400, 'REQUEST_INVALID', 'surprise'],
      ['{', 400, 'BODY_NOT_JSON', 'JSON'],
    ];
    for (const [given, status, code, message] of cases) {
      const answer = await post(given);
      expect(answer.body).toMatchObject({
        code,
        error: expect.stringContaining(message),
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
});

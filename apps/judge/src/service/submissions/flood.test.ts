/**
 * A judge in one process, with many submissions of three users, killed in the middle: every
 * accepted submission gets the correct verdict, once.
 */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { MINIMAL, packageFolder } from '../../testing/package-folder.ts';
import { startJudgeProcess } from '../../testing/judge-process.ts';
import { judgeDrivers } from '../../testing/judge-sandboxes.ts';
import { caller, ECHO } from '../../testing/serving.ts';
import type { SubmissionSummary } from '../api/schemas.ts';

const TIMEOUT = 300_000;
const YAML = `${MINIMAL['problem.yaml']}  output: 1\n`;
const PROGRAMS = [
  ['AC', 'python3', ECHO],
  ['WA', 'python3', 'print(0)\n'],
  ['TLE', 'c', 'int main(void) { for (volatile int i = 0;; i = !i) {} }\n'],
  ['MLE', 'python3', 'x = []\nwhile True: x.append(bytearray(1 << 20))\n'],
  ['RTE', 'c', 'int main(void) { volatile int *nowhere = 0; return *nowhere; }\n'],
  ['CE', 'c', 'int main(void) { return fish; }\n'],
  ['OLE', 'python3', 'while True: print("x" * 100000)\n'],
  ['AC', 'c', '#include <stdio.h>\nint main(void) { int n; scanf("%d", &n); printf("%d", n); }\n'],
] as const;

it.each(judgeDrivers().slice(0, 1))(
  'judges all that it took in, each as it must be, through a kill',
  async (driver) => {
    const folder = testFolder();
    const problems = join(folder, 'problems');
    cpSync(packageFolder({ 'problem.yaml': YAML }), join(problems, 'echo'), { recursive: true });
    const args = ['serve', '--problems', problems, '--data', join(folder, 'data'), '--port', '0'];
    const start = () =>
      startJudgeProcess([...args, '--driver', driver, '--rate', '1000', '--workers', '2']);

    await using first = await start();
    const admin = caller(String(first.started['url']), String(first.started['adminKey']));
    const users = await Promise.all(
      ['ann', 'ben', 'cleo'].map(async (name) => {
        const { body } = await admin.call('POST', 'users', { name });
        return caller(String(first.started['url']), (body as { key: string }).key);
      }),
    );
    const accepted = await Promise.all(
      users.flatMap((user) =>
        PROGRAMS.map(async ([verdict, language, source]) => {
          const { id } = await user.submit('echo', source, language);
          return { id, verdict };
        }),
      ),
    );
    const states = async () => {
      const { submissions } = await admin.get<{ submissions: SubmissionSummary[] }>('submissions');
      return new Set(submissions.map(({ state }) => state));
    };
    await vi.waitUntil(
      async () => {
        const seen = await states();
        return seen.has('judged') && seen.has('running');
      },
      { timeout: TIMEOUT, interval: 30 },
    );
    await first.kill();

    await using second = await start();
    expect(second.started['adminKey']).toBeNull();
    const again = caller(String(second.started['url']), admin.key);
    const views = await Promise.all(accepted.map(({ id }) => again.verdict(id)));
    expect(views.map(({ id, verdict }) => ({ id, verdict }))).toEqual(accepted);
    expect(new Set(views.map(({ judging }) => judging))).toEqual(new Set([1]));
    // The job that was running at the kill took a second attempt; no job took a third.
    expect(new Set(views.map(({ attempt }) => attempt))).toEqual(new Set([1, 2]));
  },
  TIMEOUT,
);

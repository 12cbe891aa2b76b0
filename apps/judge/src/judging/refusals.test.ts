import { describe, expect, it, onTestFinished } from 'vitest';
import { createProcessSandbox } from '@skein/sandbox/process';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { loadProblem } from '../package/load-problem.ts';
import type { Problem } from '../package/problem.ts';
import { MINIMAL, packageFolder } from '../testing/package-folder.ts';
import { createJudgeDriver } from './drivers.ts';
import { chooseJudgeSandbox } from './judge-sandbox.ts';
import { refuseDishonourable } from './limits.ts';
import { answerTo, checkLanguage, checkSubmission, withIncludes } from './submission.ts';

const file = (path: string, text = 'x') => ({
  path,
  content: new TextEncoder().encode(text),
  executable: false,
});

describe('nothing is judged', () => {
  it('by the driver for trusted work, or by none', async () => {
    const driver = createProcessSandbox();
    onTestFinished(() => driver.close());
    const refused = { code: 'JUDGE_SANDBOX', message: expect.stringContaining('process') };
    await expect(chooseJudgeSandbox([driver])).rejects.toMatchObject(refused);
    await expect(chooseJudgeSandbox([])).rejects.toMatchObject({ code: 'JUDGE_SANDBOX' });
  });

  it.skipIf(requireComponent('docker').skip)(
    'without the image of its guests, naming the command that builds it',
    async () => {
      const image = 'nowhere';
      const driver = await createJudgeDriver('docker', image);
      onTestFinished(() => driver.close());
      await expect(chooseJudgeSandbox([driver], { image })).rejects.toMatchObject({
        code: 'JUDGE_SANDBOX',
        message: expect.stringMatching(
          /^docker: .* no image skein-sandbox:nowhere\. .*base-image\.sh judge skein-sandbox:nowhere`/,
        ),
      });
    },
  );

  it.skipIf(requireComponent('bubblewrap').skip)(
    'in a folder without a root file system, naming the command that fills it',
    async () => {
      const driver = await createJudgeDriver('bubblewrap');
      onTestFinished(() => driver.close());
      await expect(chooseJudgeSandbox([driver], { image: '/nowhere' })).rejects.toMatchObject({
        code: 'JUDGE_SANDBOX',
        message: expect.stringContaining('base-image.sh judge --to /nowhere`'),
      });
      await expect(chooseJudgeSandbox([driver], { image: 'nowhere' })).rejects.toMatchObject({
        message: expect.stringMatching(/base-image\.sh judge --to \/\S+\/nowhere`/),
      });
      // An image takes the place of what is there.
      const image = testFolder();
      await expect(chooseJudgeSandbox([driver], { image })).rejects.toMatchObject({
        message: expect.not.stringContaining(`--to ${image}`),
      });
    },
  );

  it('under limits that this machine cannot hold', async () => {
    const problem = await loadProblem(packageFolder({}));
    expect(() => refuseDishonourable(problem, { memoryBytes: 2 ** 40, timeMs: 1e6 })).not.toThrow();
    expect(() => refuseDishonourable(problem, { memoryBytes: 2 ** 20, timeMs: 1e6 })).toThrow(
      /limits\.memory is 256 MiB; this machine can promise 1 MiB/,
    );
    expect(() => refuseDishonourable(problem, { memoryBytes: 2 ** 40, timeMs: 10 })).toThrow(
      /limits\.time_limit is 1 s/,
    );
  });
});

describe('a submission', () => {
  const load = (yaml = ''): Promise<Problem> =>
    loadProblem(packageFolder({ 'problem.yaml': `${MINIMAL['problem.yaml']}${yaml}` }));

  it.each([
    ['without a file', [], /holds no file/],
    ['that is too large', [file('a.py', 'x'.repeat(2 ** 17 + 1))], /131073 bytes/],
    ['with too many files', Array.from({ length: 129 }, (_, i) => file(`${i}.py`)), /129 files/],
    ['that climbs', [file('../a.py')], /"\.\.\/a\.py"/],
    ['with an absolute name', [file('/a.py')], /"\/a\.py"/],
    ['with a hidden file', [file('.bashrc')], /"\.bashrc"/],
    ['with a name twice', [file('a.py'), file('a.py')], /comes twice/],
    [
      'with a file as a folder',
      [file('a/b/c.py'), file('a/b')],
      /"a\/b" is both a file and a folder/,
    ],
  ])('%s is refused', async (_what, files, message) => {
    const problem = await load();
    expect(() => checkSubmission({ files }, problem)).toThrow(message);
  });

  it('has a language that the problem takes', async () => {
    const problem = await load('languages: [cpp, java]\n');
    expect(() => checkLanguage('cpp', problem)).not.toThrow();
    expect(() => checkLanguage('python3', problem)).toThrow(/takes cpp, java, not python3/);
  });

  it('does not replace the problem’s own files', async () => {
    const ours = [file('grader.h', 'ours'), file('lib/a.h', 'ours')];
    const problem = { ...(await load()), includes: new Map([['cpp', ours]]) };
    const theirs = ['grader.h', 'grader.h/x', 'lib', 'a.cpp', 'lib/b.h'].map((path) => file(path));
    const joined = withIncludes(theirs, 'cpp', problem);
    expect(joined.map((one) => [one.path, new TextDecoder().decode(one.content)])).toEqual([
      ['a.cpp', 'x'],
      ['lib/b.h', 'x'],
      ['grader.h', 'ours'],
      ['lib/a.h', 'ours'],
    ]);
  });

  it('names an answer by the shortest name of its test that is unique', () => {
    const tests = ['sample/1', 'secret/1', 'secret/g/2'].map((name) => ({ name }) as never);
    const answer = (name: string, path: string) =>
      answerTo({ name } as never, tests, [file(path)]) !== undefined;
    expect(answer('secret/1', 'secret/1.out')).toBe(true);
    expect(answer('secret/1', '1.out')).toBe(false);
    expect(answer('secret/g/2', '2.ans')).toBe(true);
    expect(answer('secret/g/2', 'g/2.out')).toBe(true);
    expect(answer('secret/g/2', '3.out')).toBe(false);
  });
});

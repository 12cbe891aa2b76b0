/**
 * Verdicts over real sandboxes: honest programs and hostile ones. Each case is judged for real;
 * waiting cases run side by side.
 */
import { expect, it } from 'vitest';
import { loadProblem } from '../package/load-problem.ts';
import { describeOverSandboxes } from '../testing/judge-sandboxes.ts';
import { judged, SMALL, TIMEOUT } from '../testing/judged.ts';
import { type Files, packageFolder } from '../testing/package-folder.ts';
import type { Judgement } from './events.ts';
import { judge } from './judge.ts';

const ECHO: Files = {};

const FIND_ANSWERS = `
import os
n = input()
found = ""
for folder, folders, names in os.walk("/"):
    if folder in ("/proc", "/sys", "/usr", "/opt", "/etc"):
        folders.clear()
    for name in names:
        if name.endswith(".ans"):
            found = open(os.path.join(folder, name)).read()
print("answer:", found)
`;

describeOverSandboxes('judging in', (open) => {
  it.each<[string, string, string, string, RegExp]>([
    ['a right program', 'main.py', 'print(input())', 'AC', /accepted/],
    ['a wrong program', 'main.py', 'print(0)', 'WA', /sample\/1/],
    ['a program without output', 'main.py', 'input()', 'WA', /sample\/1/],
    [
      'right output before a bad exit',
      'main.py',
      'import sys\nprint(input())\nsys.exit(3)',
      'RTE',
      /exit status 3/,
    ],
    [
      'wrong output before a bad exit',
      'main.py',
      'import sys\nprint(0)\nsys.exit(3)',
      'RTE',
      /exit status 3/,
    ],
    ...['SIGKILL', 'SIGXCPU', 'SIGTERM'].map((name): [string, string, string, string, RegExp] => [
      `right output before its own ${name}`,
      'main.py',
      `import os, signal\nprint(input(), flush=True)\nos.kill(os.getpid(), signal.${name})`,
      'RTE',
      new RegExp(`ended by ${name}`),
    ]),
    [
      'a program that stops itself',
      'main.py',
      'import os, signal\nprint(input(), flush=True)\nos.kill(os.getpid(), signal.SIGSTOP)',
      'TLE',
      /wall limit/,
    ],
    ['a file whose name ends in .c++', 'a.c++', 'int main() { return 4; }', 'RTE', /status 4/],
    ['a syntax error', 'main.py', 'print(', 'CE', /compiler ended with status 1/],
    ['a type error in C', 'main.c', 'int main(void) { return "x" * 2; }', 'CE', /compiler/],
    ['a crash', 'main.c', 'int main(void) { volatile int *p = 0; return *p; }', 'RTE', /SIGSEGV/],
    [
      'an endless loop',
      'main.c',
      'int main(void) { for (volatile int i = 0;; i = i + 1) {} }',
      'TLE',
      /cpu time/,
    ],
    ['a sleeper', 'main.py', 'import time\ntime.sleep(1000)', 'TLE', /wall limit/],
    [
      'a glutton',
      'main.py',
      'x = bytearray(10**9)\nfor i in range(0, 10**9, 4096): x[i] = 1',
      'MLE',
      /128 MiB/,
    ],
    ['a flood', 'main.py', 'while True: print("x" * 1000)', 'OLE', /more than 1 MiB/],
    [
      'a fork bomb',
      'main.c',
      '#include <unistd.h>\nint main(void) { for (;;) fork(); }',
      'TLE',
      /time/,
    ],
    ['a search for the answers', 'main.py', FIND_ANSWERS, 'WA', /rejected/],
    ['a writer', 'main.py', 'open("x", "w").write("x")\nprint(input())', 'RTE', /exit status 1/],
    [
      'a child that stays behind',
      'main.py',
      'import os\nprint(input(), flush=True)\nif os.fork() == 0:\n  os.setsid()\n  os.close(1)\n  os.close(2)\n  while True: pass',
      'AC',
      /accepted/,
    ],
    [
      'deep recursion',
      'main.cpp',
      '#include <cstdio>\nint deep(int n) { volatile char pad[1024]; pad[0] = 0; return n == 0 ? pad[0] : deep(n - 1) + 1; }\nint main() { int n; scanf("%d", &n); printf("%d\\n", n + deep(50000) - 50000); }',
      'AC',
      /accepted/,
    ],
  ])(
    '%s',
    async (_what, name, code, verdict, reason) => {
      const judgement = await judged(await open(), ECHO, code, name);
      expect(`${judgement.verdict} ${judgement.reason}`).toMatch(reason);
      expect(judgement.verdict).toBe(verdict);
      expect(judgement.failingTest).toBe(
        verdict === 'AC' || verdict === 'CE' ? undefined : 'sample/1',
      );
    },
    TIMEOUT,
  );

  it(
    'reports every step, and measures it',
    async () => {
      const problem = await loadProblem(packageFolder({ 'problem.yaml': SMALL }));
      const content = new TextEncoder().encode('for i in range(10**6): pass\nprint(input())');
      const types: string[] = [];
      let cpuMs = 0;
      for await (const event of judge(
        { files: [{ path: 'a.py', content, executable: false }] },
        problem,
        await open(),
      )) {
        types.push(event.type);
        if (event.type === 'verdict') cpuMs = event.judgement.usage.cpuMs;
      }
      expect(types.filter((type) => type !== 'group')).toEqual([
        'compiling',
        'compiled',
        'test-started',
        'test',
        'test-started',
        'test',
        'test-started',
        'test',
        'verdict',
      ]);
      expect(cpuMs).toBeGreaterThan(1);
    },
    TIMEOUT,
  );

  it(
    'ends when its signal is aborted',
    async () => {
      const problem = await loadProblem(packageFolder({ 'problem.yaml': SMALL }));
      const content = new TextEncoder().encode('import time\ntime.sleep(1000)');
      const abort = new AbortController();
      const submission = { files: [{ path: 'a.py', content, executable: false }] };
      const listen = async (): Promise<void> => {
        for await (const event of judge(submission, problem, await open(), {
          signal: abort.signal,
        })) {
          if (event.type === 'test-started') abort.abort(new Error('enough'));
        }
      };
      await expect(listen()).rejects.toThrow('enough');
    },
    TIMEOUT,
  );

  it(
    'shows of a test that failed what its author shows, not what the validator reads',
    async () => {
      const files: Files = {
        'data/sample/1.in.statement': 'one\n',
        'data/sample/1.out': '1 or 1\n',
      };
      const { tests } = await judged(await open(), files, 'print(0)');
      expect(tests[0]?.feedback).toMatchObject({
        input: 'one\n',
        output: '0\n',
        answer: '1 or 1\n',
      });
    },
    TIMEOUT,
  );

  it(
    'gives a test its files and arguments, and no other test’s',
    async () => {
      const files: Files = {
        'data/secret/1.files/note.txt': '2\n',
        'data/secret/1.yaml': 'args: [note.txt]\n',
      };
      const code =
        'import os, sys\nn = input()\nif n == "2": print(open(sys.argv[1]).read())\nelse: print(n if os.listdir() == ["main.py"] else 0)';
      expect(await judged(await open(), files, code)).toMatchObject({ verdict: 'AC' });
    },
    TIMEOUT,
  );

  it(
    'lets a program write where the problem allows it, and drops the files after the test',
    async () => {
      const files: Files = { 'problem.yaml': `${SMALL}allow_file_writing: true\n` };
      const code =
        'import os\nassert not os.path.exists("x")\nopen("x", "w").write(input())\nprint(open("x").read())';
      expect(await judged(await open(), files, code)).toMatchObject({ verdict: 'AC' });
    },
    TIMEOUT,
  );

  it(
    'builds a submission with the problem’s own files',
    async () => {
      const files: Files = { 'include/python3/helper.py': 'def help(x): return x\n' };
      const code = 'from helper import help\nprint(help(input()))';
      const problem = await loadProblem(packageFolder({ 'problem.yaml': SMALL, ...files }));
      const submission = {
        files: [{ path: 'main.py', content: new TextEncoder().encode(code), executable: false }],
      };
      let verdict: string | undefined;
      for await (const event of judge(submission, problem, await open())) {
        if (event.type === 'verdict') verdict = event.judgement.verdict;
      }
      expect(verdict).toBe('AC');
    },
    TIMEOUT,
  );

  it.each<[string, Readonly<Record<string, string>>, Files]>([
    [
      'JavaScript modules without a main',
      {
        'solve.mjs': "import { twice } from './lib/twice.mjs'; twice();",
        'lib/twice.mjs':
          "import { readFileSync } from 'node:fs';\nexport const twice = () => console.log(readFileSync(0, 'utf8').trim());",
      },
      {},
    ],
    [
      'TypeScript that imports without endings',
      {
        'src/solve.ts':
          "import { read } from './read';\nimport { show } from '../show';\nshow(read());",
        'src/read.ts':
          "import { readFileSync } from 'node:fs';\nexport const read = (): string => readFileSync(0, 'utf8').trim();",
        'show/index.ts': 'export function show(text: string): void { console.log(text); }',
      },
      {},
    ],
    [
      'one file of its own with an included one, under any name',
      { 'answer.py': 'from helper import help\nprint(help(input()))' },
      { 'include/python3/helper.py': 'def help(x): return x\n' },
    ],
    [
      'a function that an included driver calls',
      { 'answer.py': 'def solve(x): return x' },
      { 'include/python3/main.py': 'from answer import solve\nprint(solve(input()))\n' },
    ],
  ])(
    'starts %s',
    async (_what, programs, files) => {
      const problem = await loadProblem(packageFolder({ 'problem.yaml': SMALL, ...files }));
      const submitted = Object.entries(programs).map(([path, text]) => ({
        path,
        content: new TextEncoder().encode(text),
        executable: false,
      }));
      let judgement: Judgement | undefined;
      for await (const event of judge({ files: submitted }, problem, await open())) {
        if (event.type === 'verdict') judgement = event.judgement;
      }
      expect(judgement).toMatchObject({ verdict: 'AC' });
    },
    TIMEOUT,
  );
});

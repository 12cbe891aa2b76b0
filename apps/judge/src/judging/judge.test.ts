/**
 * Verdicts over real sandboxes: honest programs, hostile ones, and conversations that end in every
 * order. Each case is judged for real; waiting cases run side by side.
 */
import { describe, expect, it } from 'vitest';
import { loadProblem } from '../package/load-problem.ts';
import { describeOverSandboxes } from '../testing/judge-sandboxes.ts';
import { type Files, MINIMAL, packageFolder } from '../testing/package-folder.ts';
import type { Judgement } from './events.ts';
import { judge } from './judge.ts';
import type { JudgeSandbox } from './judge-sandbox.ts';

const TIMEOUT = 120_000;
const SMALL = MINIMAL['problem.yaml']
  ?.replace('time_limit: 1', 'time_limit: 0.5')
  .replace('memory: 256', 'memory: 128\n  output: 1') as string;

async function judged(
  sandbox: JudgeSandbox,
  files: Files,
  code: string,
  name = 'main.py',
): Promise<Judgement> {
  const problem = await loadProblem(packageFolder({ 'problem.yaml': SMALL, ...files }));
  const submission = {
    files: [{ path: name, content: new TextEncoder().encode(code), executable: false }],
  };
  const events = judge(submission, problem, sandbox);
  for (;;) {
    const step = await events.next();
    if (step.done === true) return step.value;
  }
}

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

  describe('conversations', () => {
    // The first word of the submission decides what the validator does.
    const talk: Files = {
      'problem.yaml': `${SMALL}type: interactive\n`,
      'output_validator/talk.py': `
import sys
word = sys.stdin.readline().strip()
if word == "wait": sys.stdin.readline()
if word == "crash": sys.exit(1)
open(sys.argv[3] + "judgemessage.txt", "w").write("received " + word)
sys.exit(42 if word == "yes" else 43)
`,
    };
    it.each<[string, string, string, RegExp]>([
      [
        'the validator accepts, and the end of its output ends the submission',
        'print("yes", flush=True)\nimport sys\nsys.stdin.read()',
        'AC',
        /accepted/,
      ],
      [
        'the validator rejects while the submission would run for ever',
        'print("no", flush=True)\nwhile True: pass',
        'WA',
        /rejected/,
      ],
      [
        'the submission crashes after a yes',
        'import sys\nprint("yes", flush=True)\nsys.stdin.read()\nsys.exit(4)',
        'RTE',
        /exit status 4/,
      ],
      [
        'the submission crashes first, and the validator rejects',
        'import sys\nsys.exit(4)',
        'RTE',
        /exit status 4/,
      ],
      [
        'the submission continues after a yes',
        'print("yes", flush=True)\nwhile True: pass',
        'TLE',
        /cpu time/,
      ],
      [
        'the submission floods after a yes',
        'print("yes", flush=True)\nwhile True: print("x" * 10000)',
        'OLE',
        /1 MiB/,
      ],
      ['both wait for each other', 'print("wait", flush=True)\ninput()', 'TLE', /wall limit/],
      [
        'the validator crashes',
        'print("crash", flush=True)\nimport sys\nsys.stdin.read()',
        'JE',
        /exited with 1/,
      ],
    ])(
      '%s',
      async (_what, code, verdict, reason) => {
        const judgement = await judged(await open(), talk, code);
        expect(`${judgement.verdict} ${judgement.reason}`).toMatch(reason);
        expect(judgement.verdict).toBe(verdict);
      },
      TIMEOUT,
    );
  });

  describe('validators', () => {
    const FLOODING =
      'import sys\nopen(sys.argv[3] + "judgemessage.txt", "w").write("x" * 9 * 2**20)\nsys.exit(42)';
    const NESTING =
      'import os, sys\nos.mkdir(sys.argv[3] + "own")\nopen(sys.argv[3] + "own/judgemessage.txt", "w").write("x")\nsys.exit(42)';

    it.each<[string, string, string, RegExp]>([
      ['that exits with 0', 'import sys\nsys.exit(0)', 'JE', /exited with 0/],
      ['that never ends', 'while True: pass', 'JE', /time limit/],
      ['that does not build', 'print(', 'JE', /does not build/],
      [
        'that writes nextpass.in in a problem of one pass',
        'import sys\nopen(sys.argv[3] + "nextpass.in", "w").write("x")\nsys.exit(42)',
        'JE',
        /not multi-pass/,
      ],
      [
        'that writes nextpass.in and rejects',
        'import sys\nopen(sys.argv[3] + "nextpass.in", "w").write("x")\nsys.exit(43)',
        'JE',
        /did not exit with 42/,
      ],
      [
        'that removes its feedback folder',
        'import shutil, sys\nshutil.rmtree(sys.argv[3])\nsys.exit(42)',
        'AC',
        /accepted/,
      ],
      ['that leaves more than it may', FLOODING, 'JE', /left more than 8 MiB of feedback/],
      ['that leaves a message in a folder of its own', NESTING, 'AC', /accepted/],
      [
        'that leaves a link for a message',
        'import os, sys\nos.symlink("/etc/passwd", sys.argv[3] + "judgemessage.txt")\nsys.exit(42)',
        'AC',
        /accepted/,
      ],
    ])(
      '%s',
      async (_what, code, verdict, reason) => {
        const limits = SMALL.replace('output: 1', 'output: 1\n  validation_time: 1');
        const files: Files = { 'problem.yaml': limits, 'output_validator/validate.py': code };
        const judgement = await judged(await open(), files, 'print(input())');
        expect(`${judgement.verdict} ${judgement.reason}`).toMatch(reason);
        expect(judgement.verdict).toBe(verdict);
        expect(judgement.tests.map((test) => test.judgeMessage ?? '').join('')).toBe('');
      },
      TIMEOUT,
    );
  });
});

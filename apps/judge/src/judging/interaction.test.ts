/** Conversations between a submission and a validator over real sandboxes, which end in every order. */
import { expect, it } from 'vitest';
import { describeOverSandboxes } from '../testing/judge-sandboxes.ts';
import { judged, SMALL, TIMEOUT } from '../testing/judged.ts';
import type { Files } from '../testing/package-folder.ts';

describeOverSandboxes('conversations in', (open) => {
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

/** Verdicts over real sandboxes where a problem's own validator fails or misbehaves. */
import { expect, it } from 'vitest';
import { describeOverSandboxes } from '../testing/judge-sandboxes.ts';
import { judged, SMALL, TIMEOUT } from '../testing/judged.ts';
import type { Files } from '../testing/package-folder.ts';

describeOverSandboxes('validators in', (open) => {
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

/** Packages of our own with what DOMjudge adds to the legacy format. */
import type { Files } from './package-folder.ts';

const COMMON: Files = {
  'problem.pdf': '%PDF-1.4\n',
  'input_validator/any.py': 'import sys\nsys.exit(42)\n',
  '.timelimit': '2\n',
  'domjudge-problem.ini': "name = 'Not this one'\ntimelimit='2'\n",
};

/** Each pass prints one less than it reads, until nothing is left. */
export const COUNTDOWN: Files = {
  ...COMMON,
  'problem.yaml':
    'name: Countdown\nvalidation: custom multi-pass\nvalidator_flags: --text "one less, please"\nlimits:\n  validation_passes: 4\n',
  'data/sample/1.in': '2\n',
  'data/sample/1.ans': '\n',
  'data/secret/1.in': '4\n',
  'data/secret/1.ans': '\n',
  'output_validator/validate.py': `
import sys
given, _, feedback, flag, text = sys.argv[1:]
left = int(open(given).read()) - 1
if sys.stdin.read().split() != [str(left)]:
    open(feedback + "judgemessage.txt", "a").write(text)
    sys.exit(43)
if left > 0:
    open(feedback + "nextpass.in", "w").write(f"{left}\\n")
sys.exit(42)
`,
  'submissions/accepted/less.py': 'print(int(input()) - 1)\n',
  'submissions/accepted/less.pl': 'print <STDIN> - 1, "\\n";\n',
  'submissions/accepted/less.bash': 'read n\necho $((n - 1))\n',
  // Right in the first pass only.
  'submissions/wrong_answer/three.py': 'n = int(input())\nprint(3 if n == 4 else 1)\n',
  'submissions/mixed/never.py': '# @EXPECTED_RESULTS@: WRONG-ANSWER\nprint()\n',
};

/** The validator states a number, and the submission doubles it. */
export const DOUBLE: Files = {
  ...COMMON,
  'problem.yaml': 'name: Double\nvalidation: custom interactive\n',
  'data/secret/1.in': '21\n',
  'data/secret/1.ans': '42\n',
  'output_validators/double/validate.py': `
import sys
print(open(sys.argv[1]).read().strip(), flush=True)
sys.exit(42 if input() == open(sys.argv[2]).read().strip() else 43)
`,
  'submissions/accepted/twice.py': 'print(2 * int(input()), flush=True)\n',
  'submissions/wrong_answer/once.py': 'print(input(), flush=True)\n',
};

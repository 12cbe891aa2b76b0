/**
 * A pass of a multi-pass problem finds no trace of the previous pass in the page cache: a program
 * reads files that no process has read before, and checks in its next pass which of them come from
 * the disk.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { loadProblem } from '../package/load-problem.ts';
import { describeOverDrivers } from '../testing/judge-sandboxes.ts';
import { packageFolder } from '../testing/package-folder.ts';
import { createJudgeDriver, JUDGE_IMAGE, type JudgeDriver } from './drivers.ts';
import { judge } from './judge.ts';
import { openJudgeSandbox } from './judge-sandbox.ts';

const NOISE = join(import.meta.dirname, '../../problems/noise');
const FILES = 84;
const FOLDER = `/usr/share/skein-cold-${process.pid}`;

/** The cost of a read is exact: blocks that came from a disk on account of this process. */
const READER = `
import os, resource
task, bits = input(), input()
count = len(bits) if task == "send" else len(bits) // 7 * 4
folder = FOLDER
names = sorted(os.listdir(folder))[4 if count > 4 else 0:][:count]
def blocks():
    return resource.getrusage(resource.RUSAGE_SELF).ru_inblock
def read(name):
    before = blocks()
    with open(os.path.join(folder, name), "rb") as file: file.read()
    return blocks() > before
if task == "send":
    for name, bit in zip(names, bits):
        if bit == "1": read(name)
    print("0" * (count // 4 * 7))
else:
    print("".join("0" if read(name) else "1" for name in names))
`;

const EVICT = `
import os, sys
for folder in sys.argv[1:]:
    for name in os.listdir(folder):
        file = os.open(os.path.join(folder, name), os.O_RDONLY)
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)
`;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** Where the folder that guests of the driver see is on this machine. */
function rootOf(name: JudgeDriver): string {
  if (name === 'bubblewrap') return '';
  const words = ['image', 'inspect', '--format', '{{.GraphDriver.Data.UpperDir}}', JUDGE_IMAGE];
  return execFileSync('docker', words, { encoding: 'utf8' }).trim();
}

function coldFiles(name: JudgeDriver): void {
  const folder = `${rootOf(name)}${FOLDER}`;
  mkdirSync(folder);
  closers.push(() => rmSync(folder, { recursive: true }));
  for (let index = 0; index < FILES; index++) {
    writeFileSync(join(folder, String(index).padStart(4, '0')), 'x'.repeat(5000));
  }
  execFileSync('python3', ['-c', EVICT, folder]);
}

describeOverDrivers('passes in', (name) => {
  it.runIf(process.getuid?.() === 0)(
    'pass nothing to each other by the files that they read',
    async () => {
      coldFiles(name);
      const driver = await createJudgeDriver(name);
      closers.push(() => driver.close());
      const sandbox = await openJudgeSandbox(driver);
      const read = (path: string): string => readFileSync(join(NOISE, path), 'utf8');
      const paths = [
        'problem.yaml',
        'statement/problem.en.md',
        'input_validators/validate.py',
        'output_validator/radio.py',
        'submissions/accepted/hamming.py',
        ...['sample/1', 'secret/02-every-first'].flatMap((test) => [
          `data/${test}.in`,
          `data/${test}.ans`,
        ]),
      ];
      const problem = await loadProblem(
        packageFolder(Object.fromEntries(paths.map((path) => [path, read(path)])), {}),
      );
      const content = new TextEncoder().encode(READER.replace('FOLDER', JSON.stringify(FOLDER)));
      const submission = { files: [{ path: 'main.py', content, executable: false }] };
      const events = judge(submission, problem, sandbox);
      for (;;) {
        const step = await events.next();
        if (step.done !== true) continue;
        expect(step.value.verdict, step.value.reason).toBe('WA');
        break;
      }
    },
    120_000,
  );
});

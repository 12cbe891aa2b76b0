/**
 * Twenty tests of a compiled C++ submission: in the judge, each sandboxed and accounted inside one
 * session; and as a judge of a weekend would do it, one hardened `docker run` per test.
 *
 * Compiling is outside of both clocks. Both sides read the same inputs and compare the outputs; the
 * peer does not even measure cpu time or memory.
 */
import { spawn, spawnSync } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { judge, loadProblem, openJudgeSandbox, type Submission } from '@skein-apps/judge';
import type { SandboxDriver } from '@skein/sandbox';
import { temporaryFolder } from '../harness/folder.ts';
import { median } from '../harness/statistics.ts';

export interface JudgeComparison {
  /** All tests in the judge, in milliseconds; the median of the rounds. */
  readonly judgeMs: number;
  /** All tests by `docker run`, in milliseconds. */
  readonly dockerRunMs: number;
  /** How many times as long the peer takes. */
  readonly ratio: number;
}

export interface JudgeComparisonOptions {
  /** The sandbox of the judge. */
  readonly driver: SandboxDriver;
  /** Image of the peer; any with a C library, such as the base image of the sandbox. */
  readonly image: string;
  /** `DOCKER_HOST` of the peer; default: the environment's. */
  readonly dockerHost?: string | undefined;
  readonly rounds: number;
}

const TESTS = 20;

const PROGRAM = `#include <iostream>
int main() { long long sum = 0, x; while (std::cin >> x) sum += x; std::cout << sum << "\\n"; }
`;

/** @throws when either side does not get every test right. */
export async function measureJudge(options: JudgeComparisonOptions): Promise<JudgeComparison> {
  const folder = await temporaryFolder();
  // The user of a container must be able to come in.
  await chmod(folder.path, 0o755);
  try {
    const problem = join(folder.path, 'sums');
    const tests = await writeProblem(problem);
    const judgeMs = await timeJudge(problem, options);
    const dockerRunMs = await timeDockerRun(folder.path, tests, options);
    return { judgeMs, dockerRunMs, ratio: dockerRunMs / judgeMs };
  } finally {
    await folder.remove();
  }
}

interface Test {
  readonly input: string;
  readonly answer: string;
}

async function writeProblem(folder: string): Promise<Test[]> {
  for (const at of ['statement', 'data/secret', 'input_validators', 'submissions/accepted']) {
    await mkdir(join(folder, at), { recursive: true });
  }
  const tests = Array.from({ length: TESTS }, (_, i): Test => {
    const numbers = Array.from({ length: 1000 }, (__, k) => (i + 1) * (k % 97));
    const sum = numbers.reduce((total, value) => total + value, 0);
    return { input: `${numbers.join(' ')}\n`, answer: `${sum}\n` };
  });
  const files: Record<string, string> = {
    'problem.yaml':
      'problem_format_version: 2025-09\nname: Sums\nuuid: sums\nlicense: cc0\nrights_owner: Skein\nlimits: {time_limit: 1, memory: 256}\n',
    'statement/problem.en.md': 'Add the numbers.\n',
    'input_validators/any.py': 'import sys\nsys.exit(42)\n',
    'submissions/accepted/sums.cpp': PROGRAM,
  };
  tests.forEach(({ input, answer }, i) => {
    const name = `data/secret/${String(i).padStart(2, '0')}`;
    files[`${name}.in`] = input;
    files[`${name}.ans`] = answer;
  });
  for (const [path, text] of Object.entries(files)) await writeFile(join(folder, path), text);
  return tests;
}

async function timeJudge(
  folder: string,
  { driver, rounds }: JudgeComparisonOptions,
): Promise<number> {
  const problem = await loadProblem(folder);
  const sandbox = await openJudgeSandbox(driver);
  const content = new TextEncoder().encode(PROGRAM);
  const submission: Submission = { files: [{ path: 'sums.cpp', content, executable: false }] };
  const samples: number[] = [];
  for (let round = 0; round < rounds; round++) {
    let startedAt = 0;
    for await (const event of judge(submission, problem, sandbox)) {
      if (event.type === 'compiled') startedAt = performance.now();
      if (event.type !== 'verdict') continue;
      samples.push(performance.now() - startedAt);
      const { verdict, reason, tests } = event.judgement;
      if (verdict !== 'AC' || tests.length !== TESTS)
        throw new Error(`judge: ${verdict}: ${reason}`);
    }
  }
  return median(samples);
}

async function timeDockerRun(
  folder: string,
  tests: readonly Test[],
  { image, dockerHost, rounds }: JudgeComparisonOptions,
): Promise<number> {
  const source = join(folder, 'sums.cpp');
  const program = join(folder, 'program');
  await writeFile(source, PROGRAM);
  // Static, so that the peer may use the smallest image.
  const built = spawnSync('g++', ['-std=gnu++20', '-O2', '-static', '-o', program, source]);
  if (built.status !== 0) throw new Error(`g++: ${built.stderr.toString()}`);
  const samples: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const startedAt = performance.now();
    for (const { input, answer } of tests) {
      const output = await dockerRun(program, image, dockerHost, input);
      if (output !== answer) throw new Error(`docker run: ${JSON.stringify(output)}`);
    }
    samples.push(performance.now() - startedAt);
  }
  return median(samples);
}

function dockerRun(
  program: string,
  image: string,
  host: string | undefined,
  input: string,
): Promise<string> {
  const args = ['run', '--rm', '-i', '--network', 'none', '--read-only', '--cap-drop', 'ALL'];
  args.push('--security-opt', 'no-new-privileges', '--user', '65534:65534', '--pids-limit', '32');
  args.push('--memory', '256m', '--memory-swap', '256m', '--cpus', '1', '--ulimit', 'cpu=1');
  args.push('--tmpfs', '/tmp:size=16m', '-v', `${program}:/program:ro`, image, '/program');
  return new Promise((resolve, reject) => {
    const env = host === undefined ? process.env : { ...process.env, DOCKER_HOST: host };
    const child = spawn('docker', args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stdin.on('error', () => undefined);
    child.on('error', reject);
    child.on('close', () => resolve(output));
    child.stdin.end(input);
  });
}

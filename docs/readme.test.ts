/**
 * Runs what the README and the guides tell people to type: every line of their `sh` blocks, in their
 * order, against a real node on a free port, from the repository's root.
 *
 * Lines that this machine cannot run as a test are named in SKIPPED with the reason; a line that is
 * in neither fails, so a new command in the documentation is either tried or excused.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { mlp, writeModel } from '@skein/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const cli = join(root, 'packages/cli/src/main.ts');

/** Why a line is not run here. */
const SKIPPED: readonly (readonly [RegExp, string])[] = [
  [/images\/draw\.ts/, 'rewrites the sample images; needs fonts'],
  [/^git clone /, 'this is the clone'],
  [/^npm (start|test)$/, 'the node of this test is that command’s, on a free port'],
  [/provision/, 'installs system packages'],
  [/^npm run bench/, 'takes minutes; bench has tests of its own'],
  [/^npx skein bench /, 'takes a minute; tested in packages/cli'],
  [/^(deploy\/container|docker run|--cap-drop)/, 'tested in deploy/container/container.test.ts'],
  [/^npx skein worker /, 'needs a fleet; tested in packages/cli'],
  [/^npm run judge/, 'a service; tested in apps/judge'],
  [/--host 0\.0\.0\.0/, 'tested in packages/server'],
  [/^npm run (-w examples\/vad start)/, 'tested in examples/vad/deploy.test.ts'],
  [
    /rollout risk --watch|--shadow/,
    'follow one another in time; tested in packages/cli and packages/server',
  ],
];

/** What the commands of the examples write where they are run. */
const LEFT_BEHIND = ['clean.csv', 'tidy', 'totals', 'report.svg'];

/** Tries of a request: a machine that is busy with other tests may refuse the first, in time. */
const REQUEST_TRIES = 4;

interface Command {
  readonly page: string;
  readonly line: string;
}

function commandsOf(page: string): Command[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)]
    .flatMap(([, block = '']) => block.replaceAll(/\\\n\s*/g, '').split('\n'))
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ page, line }));
}

const commands = [
  'README.md',
  'docs/guide/serving.md',
  'docs/guide/compositions.md',
  'docs/guide/operating.md',
  'examples/ocr/README.md',
  'docs/guide/training.md',
  'examples/wdbc/README.md',
  'examples/sales/README.md',
  'examples/fine-tuning/README.md',
].flatMap(commandsOf);
const isSkipped = ({ line }: Command): boolean => SKIPPED.some(([pattern]) => pattern.test(line));

/** The TypeScript of the composition guide, so that its command has the file that it names. */
function compositionOfGuide(): string {
  const text = readFileSync(join(root, 'docs/guide/compositions.md'), 'utf8');
  return /```ts\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
}

async function start(data: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(
    process.execPath,
    [
      cli,
      'up',
      '--example',
      'ocr',
      '--port',
      '0',
      '--grpc-port',
      '0',
      '--data',
      data,
      '--log',
      'off',
      '--json',
    ],
    { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let printed = '';
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      const found = /"url": ?"([^"]+)"/.exec(printed)?.[1];
      if (found !== undefined && printed.trimEnd().endsWith('}')) resolve(found);
    });
    child.once('exit', (code) => reject(new Error(`up ended with ${code}: ${complaints}`)));
  });
  return { child, url };
}

describe('the commands of the documentation', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skein-docs-'));
  let node: Awaited<ReturnType<typeof start>>;

  beforeAll(async () => {
    const bin = join(folder, 'bin');
    spawnSync('mkdir', ['-p', bin]);
    // `npx skein` in the documentation is this checkout's command.
    writeFileSync(join(bin, 'npx'), `#!/bin/sh\nshift\nexec ${process.execPath} ${cli} "$@"\n`, {
      mode: 0o755,
    });
    writeFileSync(join(folder, 'model.onnx'), writeModel(mlp({ sizes: [4, 8, 1], seed: 1 })));
    writeFileSync(join(folder, 'model-v2.onnx'), writeModel(mlp({ sizes: [4, 8, 1], seed: 2 })));
    // Beside the examples, because its imports are found from where it lies.
    writeFileSync(join(root, 'examples/ocr/mean.composition.test-copy.ts'), compositionOfGuide());
    node = await start(join(folder, 'data'));
  }, 60_000);

  afterAll(async () => {
    const ended = new Promise((resolve) => node.child.once('exit', resolve));
    node.child.kill('SIGTERM');
    await ended;
    rmSync(join(root, 'examples/ocr/mean.composition.test-copy.ts'), { force: true });
    rmSync(folder, { recursive: true, force: true });
    for (const name of LEFT_BEHIND) rmSync(join(root, name), { recursive: true, force: true });
  });

  it('finds commands on every page', () => {
    expect(commands.filter((command) => !isSkipped(command)).length).toBeGreaterThan(10);
  });

  it.each(commands.filter((command) => !isSkipped(command)))(
    '$page: $line',
    ({ line }) => {
      const here = line
        .replaceAll('http://127.0.0.1:4700', node.url)
        .replaceAll(/\b(model(-v2)?\.onnx|trained\.onnx|curves\.svg)/g, (file) =>
          join(folder, file),
        )
        .replaceAll(
          'mean.composition.ts',
          join(root, 'examples/ocr/mean.composition.test-copy.ts'),
        );
      const attempt = () =>
        spawnSync('sh', ['-ec', here], {
          cwd: root,
          encoding: 'utf8',
          timeout: 30_000,
          env: {
            ...process.env,
            PATH: `${join(folder, 'bin')}${delimiter}${process.env['PATH']}`,
            SKEIN_URL: node.url,
            SKEIN_DATA: join(folder, 'data'),
          },
        });
      let done = attempt();
      for (let tries = 1; line.startsWith('curl') && tries < REQUEST_TRIES; tries++) {
        if (!/DEADLINE|"retryAfterMs"/.test(done.stdout)) break;
        done = attempt();
      }
      expect(done.stderr + done.stdout).not.toMatch(/"code": ?"[A-Z_]+"/);
      expect({ status: done.status, stderr: done.status === 0 ? '' : done.stderr }).toEqual({
        status: 0,
        stderr: '',
      });
      expect(done.stdout).not.toBe('');
    },
    40_000,
  );
});

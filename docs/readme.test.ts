/**
 * Runs the commands of the guides and examples that `guides.test.ts` does not follow yet: every line of their `sh` blocks, in their order,
 * against a real node on a free port, from a folder like the repository's root. The files that
 * they write stays there, also when this test is killed.
 *
 * Lines that this machine cannot run as a test are named in SKIPPED with the reason; a line that is
 * in neither fails, so a new command in the documentation is either tried or excused.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { mlp, tensorOf, writeModel } from '@skein/onnx';
import { writeTensors } from '@skein/train';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireComponent } from '../scripts/testing/components.ts';
import { FOLLOWED, FOLLOWED_ALONE } from '../scripts/testing/guides/follow.ts';

const root = join(import.meta.dirname, '..');
const cli = join(root, 'packages/cli/src/main.ts');

const hasSandbox = !requireComponent('bubblewrap').skip;
const hasTorch = !requireComponent('python3-torch').skip && hasSandbox;
const hasSklearn = !requireComponent('python3-sklearn').skip && hasSandbox;

/** Why a line is not run here. */
const SKIPPED: readonly (readonly [RegExp, string])[] = [
  [/images\/draw\.ts/, 'rewrites the sample images; needs fonts'],
  [/^npm (start|test)$/, 'the node of this test is that command’s, on a free port'],
  [/provision/, 'installs system packages'],
  [/^npm run bench/, 'takes minutes; bench has tests of its own'],
  [/^npx skein bench /, 'takes a minute; tested in packages/cli'],
  [/^(deploy\/container|docker run|--cap-drop)/, 'tested in deploy/container/container.test.ts'],
  [/^npx skein up --isolate-models/, 'a node; tested in packages/server'],
  [/^npx skein deploy hf:/, 'needs the internet; tested in packages/cli'],
  ...(hasTorch ? [] : [[/flower/, 'needs PyTorch and a sandbox'] as const]),
  ...(hasSklearn ? [] : [[/buyers/, 'needs scikit-learn and a sandbox'] as const]),
  [/--host 0\.0\.0\.0/, 'tested in packages/server'],
  [/^npm run (-w examples\/vad start)/, 'tested in examples/vad/deploy.test.ts'],
  [
    /rollout risk --watch|--shadow/,
    'follow one another in time; tested in packages/cli and packages/server',
  ],
];

/** Option for a second try, when a request was refused in time, as on a machine that is busy with other tests. */
const PATIENT = "-H 'Skein-Timeout-Ms: 20000'";

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

/** In this order, in which what one page makes is there for the next. */
const PAGES = [
  'examples/ocr/README.md',
  'examples/wdbc/README.md',
  'examples/sales/README.md',
  'examples/fine-tuning/README.md',
];
/** Files of a reader, made by other programs: `guides.test.ts` leaves these lines of its pages to this test. */
const FILES_OF_OTHERS = /tuned\.safetensors|flower|buyers/;
const commands = [
  ...PAGES.flatMap(commandsOf),
  ...commandsOf('docs/guide/serving.md').filter(({ line }) => FILES_OF_OTHERS.test(line)),
];
const isSkipped = ({ line }: Command): boolean => SKIPPED.some(([pattern]) => pattern.test(line));

/** Weights of another model of the same sizes, as `--weights` takes them. */
function safetensors(): Promise<Uint8Array> {
  const stored = mlp({ sizes: [4, 8, 1], seed: 4 }).graph!.initializer;
  const tensors = stored.flatMap((proto) => {
    const tensor = tensorOf(proto);
    return tensor === undefined || tensor.type === 'string' ? [] : [[proto.name, tensor] as const];
  });
  return writeTensors({ tensors: new Map(tensors), metadata: {} });
}

/** Runs the Python of the guide that writes a file. */
function writeByPython(folder: string, file: string): void {
  const page = readFileSync(join(root, 'docs/guide/serving.md'), 'utf8');
  const scripts = [...page.matchAll(/```python\n([\s\S]*?)```/g)].map(([, script = '']) => script);
  const script = scripts.find((each) => each.includes(`"${file}"`)) ?? '';
  const imports = file.endsWith('.pt') ? 'import torch\n' : '';
  const made = spawnSync('/usr/bin/python3', ['-W', 'ignore', '-c', `${imports}${script}`], {
    cwd: folder,
    encoding: 'utf8',
  });
  if (made.status !== 0) throw new Error(made.stderr);
}

/** The examples are copied, because files of the guides are written next to them; the rest is linked. */
function copyCheckout(to: string): void {
  mkdirSync(to);
  for (const name of readdirSync(root)) {
    if (name === 'examples') cpSync(join(root, name), join(to, name), { recursive: true });
    else symlinkSync(join(root, name), join(to, name));
  }
}

async function start(
  checkout: string,
  data: string,
): Promise<{ child: ChildProcess; url: string }> {
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
    { cwd: checkout, stdio: ['ignore', 'pipe', 'pipe'] },
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
  const checkout = join(folder, 'checkout');
  let node: Awaited<ReturnType<typeof start>> | undefined;

  function shell(line: string) {
    return spawnSync('sh', ['-ec', line], {
      cwd: checkout,
      encoding: 'utf8',
      timeout: 60_000,
      env: {
        ...process.env,
        PATH: `${join(folder, 'bin')}${delimiter}${process.env['PATH']}`,
        SKEIN_URL: node?.url,
        SKEIN_DATA: join(folder, 'data'),
      },
    });
  }

  beforeAll(async () => {
    const bin = join(folder, 'bin');
    spawnSync('mkdir', ['-p', bin]);
    // `npx skein` in the documentation is this checkout's command.
    writeFileSync(
      join(bin, 'npx'),
      `#!/bin/sh\n[ "$1" = node ] && shift && exec ${process.execPath} "$@"\nshift\nexec ${process.execPath} ${cli} "$@"\n`,
      {
        mode: 0o755,
      },
    );
    writeFileSync(join(folder, 'model.onnx'), writeModel(mlp({ sizes: [4, 8, 1], seed: 1 })));
    writeFileSync(join(folder, 'model-v2.onnx'), writeModel(mlp({ sizes: [4, 8, 1], seed: 2 })));
    writeFileSync(join(folder, 'theirs.onnx'), writeModel(mlp({ sizes: [4, 8, 1], seed: 3 })));
    writeFileSync(join(folder, 'tuned.safetensors'), await safetensors());
    if (hasTorch) writeByPython(folder, 'flower.pt');
    if (hasSklearn) writeByPython(folder, 'buyers.joblib');
    copyCheckout(checkout);
    node = await start(checkout, join(folder, 'data'));
    shell(
      'npx skein deploy model.onnx --name risk --objective 100ms'.replace(
        'model.onnx',
        join(folder, 'model.onnx'),
      ),
    );
  }, 90_000);

  afterAll(async () => {
    if (node !== undefined) {
      const ended = once(node.child, 'exit');
      node.child.kill('SIGTERM');
      await ended;
    }
    rmSync(folder, { recursive: true, force: true });
  });

  it('leaves out no guide', () => {
    const guides = readdirSync(join(root, 'docs/guide')).map((name) => `docs/guide/${name}`);
    const taken: readonly string[] = [...PAGES, ...FOLLOWED, ...FOLLOWED_ALONE];
    const left = guides.filter((page) => !taken.includes(page) && commandsOf(page).length > 0);
    expect(left).toEqual([]);
    expect(commands.filter((command) => !isSkipped(command)).length).toBeGreaterThan(10);
  });

  it.each(commands.filter((command) => !isSkipped(command)))(
    '$page: $line',
    ({ line }) => {
      const here = line
        .replaceAll('http://127.0.0.1:4700', node!.url)
        .replaceAll(
          /\b(model(-v2)?\.onnx|theirs\.onnx|tuned\.safetensors|flower\.pt|buyers\.joblib|trained\.onnx|curves\.svg)/g,
          (file) => join(folder, file),
        )
        .replaceAll('/tmp/example-model', join(folder, 'example-model'));
      let done = shell(here);
      if (line.startsWith('curl') && /DEADLINE|"retryAfterMs"/.test(done.stdout)) {
        done = shell(here.replace(/^curl/, `curl ${PATIENT}`));
      }
      expect(done.stderr + done.stdout).not.toMatch(/"code": ?"[A-Z_]+"/);
      expect({ status: done.status, stderr: done.status === 0 ? '' : done.stderr }).toEqual({
        status: 0,
        stderr: '',
      });
      expect(done.stdout).not.toBe('');
    },
    70_000,
  );
});

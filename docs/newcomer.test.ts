/**
 * A newcomer's afternoon: from an empty folder with an empty home, each step as it is typed, and the
 * commands that a step prints as they are printed. A step uses what the steps before it left behind.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { GraphBuilder, seededRandom, writeModel } from '@skein/onnx';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkBrowserBundles } from '../scripts/packing/browser-bundles.ts';
import { requireComponent } from '../scripts/testing/components.ts';
import { testFolder } from '../scripts/testing/folder.ts';

const ROOT = join(import.meta.dirname, '..');
const place = testFolder();
const folder = join(place, 'afternoon');
const bin = join(place, 'bin');
const sandboxed = !requireComponent('bubblewrap').skip;

interface Typed {
  readonly code: number | null;
  readonly out: string;
  /** Notes, progress and errors. */
  readonly err: string;
}

function type(line: string, env: Readonly<Record<string, string>> = {}): Typed {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', line], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
    env: {
      PATH: `${bin}${delimiter}${process.env['PATH']}`,
      HOME: join(place, 'home'),
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
      ...env,
    },
  });
  return { code: status, out: stdout, err: stderr };
}

function works(line: string): Typed {
  const typed = type(line);
  expect(typed, line).toMatchObject({ code: 0 });
  return typed;
}

/** The lines that a command prints below `Try:`. */
const tries = ({ out }: Typed): string[] =>
  (out.split('\nTry:\n')[1] ?? '').split('\n').filter((line) => line.startsWith('  '));

const nodes: ChildProcess[] = [];

beforeAll(async () => {
  for (const each of [folder, bin, join(place, 'home')]) mkdirSync(each);
  const command = `#!/bin/sh\nexec ${process.execPath} ${join(ROOT, 'packages/cli/src/main.ts')} "$@"\n`;
  writeFileSync(join(bin, 'skein'), command, { mode: 0o755 });
  writeFileSync(join(bin, 'npx'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
  writeFileSync(join(folder, 'patients.csv'), patients(300));
  await startNode(folder);
}, 60_000);

afterAll(async () => {
  for (const node of nodes) {
    const ended = once(node, 'exit');
    if (node.exitCode === null && node.kill('SIGTERM')) await ended;
  }
});

/** @returns its address. */
async function startNode(cwd: string, ...words: string[]): Promise<string> {
  const node = spawn(
    join(bin, 'skein'),
    ['up', '--port', '0', '--grpc-port', '0', '--log', 'off', '--json', ...words],
    { cwd, stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env['PATH'] } },
  );
  nodes.push(node);
  let printed = '';
  for await (const chunk of node.stdout) {
    printed += String(chunk);
    if (printed.trimEnd().endsWith('}')) break;
  }
  return (JSON.parse(printed) as { url: string }).url;
}

/** A table as a German spreadsheet writes it, with an identifier, dates, free text and a gap. */
function patients(rows: number): string {
  const random = seededRandom(7);
  const lines = Array.from({ length: rows }, (_, i) => {
    const day = new Date(Date.UTC(2024, 0, 1) + Math.floor(random.next() * 700) * 86_400_000);
    const [year, month, date] = day.toISOString().slice(0, 10).split('-');
    const age = 20 + Math.floor(random.next() * 70);
    const bmi = 18 + 22 * random.next();
    const ill = age / 90 + bmi / 40 + (day.getUTCDay() % 6 === 0 ? 0.4 : 0) > 1.4 ? 'yes' : 'no';
    const given = i === 20 ? '' : String(age);
    const city = ['Bonn', 'Oslo', 'Rome'][i % 3];
    const number = bmi.toFixed(2).replace('.', ',');
    return `P${i};${date}.${month}.${year};${city};${given};${number};patient ${i} was seen again;${ill}`;
  });
  return `${['id;admitted;city;age;bmi;remark;ill', ...lines].join('\n')}\n`;
}

const TRAIN = 'skein train --model mlp:16 --data patients.csv --label ill --lr 0.01';

it('a gap in a table stops the training and names the options', () => {
  const { code, err } = type(TRAIN);
  expect(code).toBe(1);
  expect(err).toContain("patients.csv: Line 22: 'age' is missing. --missing drop ");
});

it('a table with semicolons, decimal commas, dates and identifiers is trained, and its columns printed', () => {
  const typed = works(`${TRAIN} --missing mean --name patients`);
  expect(typed.err).toContain('semicolons between its columns and decimal commas in its numbers');
  expect(typed.err).toMatch(
    /Columns: numbers age, bmi; texts city \(3\); dates admitted \(year, month, day, weekday\)\./,
  );
  expect(typed.err).toMatch(/'id' is left out: it is an identifier: 300 different texts/);
  expect(typed.err).toMatch(/'remark' is left out: it is free text/);
  expect(readdirSync(folder).sort()).toEqual(['.skein', 'patients.csv']);
  for (const line of tries(typed)) works(line.replace('NAME', 'patients'));
});

it('the served model takes a row as it stands in the table, and null for what is missing', () => {
  const row = {
    admitted: ['16.03.2024', null],
    city: ['Bonn', null],
    age: [80, null],
    bmi: [30, 22],
  };
  const { out } = works(`skein infer patients --json --data '${JSON.stringify(row)}'`);
  const { outputs } = JSON.parse(out) as {
    outputs: { probabilities: { data: readonly (readonly number[])[] } };
  };
  const [ill, other] = outputs.probabilities.data;
  expect(ill![1]).toBeGreaterThan(0.5);
  expect(other!.every((each) => each > 0 && each < 1)).toBe(true);
});

it('an answer of a classifier names the classes', () => {
  const row = { admitted: ['16.03.2024'], city: ['Bonn'], age: [80], bmi: [30] };
  const { out } = works(`skein infer patients --data '${JSON.stringify(row)}'`);
  expect(out).toMatch(/\.class string\[1\] +yes\n/);
});

/** A model as PyTorch exports it without dynamic axes: its batch is 1. */
function exported(operator: 'Neg' | 'Abs'): Uint8Array {
  const graph = new GraphBuilder('exported');
  const [y] = graph.node(operator, [graph.input('x', 'float32', [1, 2])], {}, { outputs: ['y'] });
  graph.output(y, 'float32', [1, 2]);
  return writeModel(graph.model());
}

it("the deployment of a model with a fixed batch prints the exporter's option; settings and rollouts of the guide work", () => {
  const page = readFileSync(join(ROOT, 'docs/guide/serving.md'), 'utf8');
  const printed = (start: string): string => {
    const [line = ''] = new RegExp(`npx skein ${start}[^\`\\n]*`).exec(page) ?? [];
    expect(line, start).not.toBe('');
    return line;
  };
  writeFileSync(join(folder, 'model.onnx'), exported('Neg'));
  const { out } = works(printed('deploy model.onnx'));
  expect(out).toContain("torch.onnx.export(…, dynamic_axes={'x': {0: 'batch'}})");
  works(printed('settings risk'));
  works(printed('settings risk --replicas'));
  writeFileSync(join(folder, 'model.onnx'), exported('Abs'));
  works(printed('deploy model.onnx'));
  works(printed('rollout risk --version 1'));
  expect(works(`skein infer risk -i 'x=[1,2]'`).out).toContain('-1  -2');
  works('skein undeploy risk');
});

it.each(['train', 'federation', 'runtime'])(
  '@skein/%s is bundled for pages without modules of Node',
  async (name) => {
    const project = join(place, name);
    mkdirSync(project);
    symlinkSync(join(ROOT, 'node_modules'), join(project, 'node_modules'));
    await expect(checkBrowserBundles(name, project)).resolves.toBeUndefined();
  },
);

it('a training that learns its rows by heart ends with a warning', () => {
  const { err } = works(`${TRAIN} --missing mean --features id --epochs 100 --lr 0.1`);
  expect(err).toMatch(/the network learns rows by heart\. Try .* or --early-stopping\./);
});

it('a pipeline of the guide runs in a folder where nothing is installed', () => {
  const page = readFileSync(join(ROOT, 'docs/guide/pipelines.md'), 'utf8');
  const [, module = ''] = /```ts .*\n([^]*?)```/.exec(page) ?? [];
  writeFileSync(join(folder, 'wdbc.pipeline.ts'), module);
  const table = readFileSync(join(ROOT, 'examples/wdbc/wdbc.csv'));
  mkdirSync(join(folder, 'examples/wdbc'), { recursive: true });
  writeFileSync(join(folder, 'examples/wdbc/wdbc.csv'), table);
  const [, commands = ''] = /```sh\n([^]*?)```/.exec(page) ?? [];
  const lines = commands
    .trim()
    .split('\n')
    .filter((line) => sandboxed || !line.includes(' run '));
  for (const line of lines) expect(works(line).err).not.toMatch(/warning/i);
  expect(lines.length).toBeGreaterThan(1);
});

it.skipIf(!sandboxed)(
  'a program of a virtual environment runs with its packages by one option',
  () => {
    works('/usr/bin/python3 -m venv --without-pip .venv');
    const [version = ''] = readdirSync(join(folder, '.venv/lib'));
    const packages = join(folder, '.venv/lib', version, 'site-packages');
    writeFileSync(join(packages, 'greeting.py'), 'def of(name): return f"hello {name}"\n');
    writeFileSync(join(folder, 'hello.py'), 'import greeting; print(greeting.of("rows"))\n');
    const active = {
      VIRTUAL_ENV: join(folder, '.venv'),
      PATH: [join(folder, '.venv/bin'), bin, process.env['PATH']].join(delimiter),
    };
    const without = type('skein run -- python hello.py', active);
    expect(without.code).toBe(1);
    const [, option = ''] = /: (--venv \S+) takes them along/.exec(without.err) ?? [];
    const withIt = type(`skein run ${option} -- python hello.py`, active);
    expect(withIt).toMatchObject({ code: 0, out: expect.stringContaining('hello rows') });
  },
);

it.skipIf(!sandboxed)('an output that a command does not write fails it at once', () => {
  const { code, out } = type('skein run --output rows.csv -- true');
  expect(code).toBe(1);
  expect(out).toContain('no regular file or directory at "rows.csv"');
  const { jobs } = JSON.parse(works('skein jobs ls --state dead --json').out) as {
    jobs: unknown[];
  };
  expect(jobs).toEqual([]);
});

it('the demonstration of a federation takes a port that is free', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  const line = `npm --prefix ${ROOT} run federate-demo -- --rounds 1 --epsilon 1 --port ${port}`;
  expect(works(line).out).toContain(`A node on http://127.0.0.1:${port},`);
}, 90_000);

it('the key that the console asks for is made by the command that it names, and opens it', async () => {
  const dialog = readFileSync(join(ROOT, 'packages/console/src/key-dialog.tsx'), 'utf8');
  const [, command = ''] = /commands\('(skein keys create [^']*)'\)/.exec(dialog) ?? [];
  const guarded = join(place, 'guarded');
  mkdirSync(guarded);
  const created = (line: string) =>
    (JSON.parse(works(`cd ${guarded} && ${line} --json`).out) as { secret: string }).secret;
  const admin = created('npx skein keys create --scope admin');
  const url = await startNode(guarded, '--host', '0.0.0.0', '--queues', 'none');
  const secret = created(`SKEIN_KEY=${admin} npx ${command}`);
  for (const path of ['deployments', 'jobs', 'runs']) {
    const address = `http://127.0.0.1:${new URL(url).port}/api/v1/${path}`;
    const headers = { authorization: `Bearer ${secret}` };
    expect((await fetch(address)).status).toBe(401);
    expect((await fetch(address, { headers })).status, path).toBe(200);
  }
});

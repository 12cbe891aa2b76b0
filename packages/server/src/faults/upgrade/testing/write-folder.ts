/**
 * Writes a data folder with a given `skein`, and packs it with a list of its contents, for `upgrade.test.ts`.
 * Run it with the published command of each release, before the next one:
 *
 *     node packages/server/src/faults/upgrade/testing/write-folder.ts PATH/TO/skein VERSION
 *
 * The disk reserve stays out: it is 16 MiB, and a node makes it anew.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runCli, startCli } from '../../../../../cli/src/testing/cli.ts';
import type { Kept } from './kept.ts';

const [command, version] = parseArgs({ allowPositionals: true }).positionals;
if (command === undefined || version === undefined) throw new Error('usage: SKEIN VERSION');

const ROOT = join(import.meta.dirname, '../../../../../..');
const folder = mkdtempSync(join(tmpdir(), 'skein-upgrade-'));
const given = { cwd: folder, program: [command] } as const;

/** The JSON document that a command prints. */
async function json<T>(...words: string[]): Promise<T> {
  const at = words.indexOf('--');
  const { code, stdout, stderr } = await runCli(
    words.toSpliced(at < 0 ? words.length : at, 0, '--json'),
    given,
  );
  if (code !== 0) throw new Error(`${words.join(' ')} ended with ${code}: ${stdout}${stderr}`);
  return JSON.parse(stdout) as T;
}

/** Id of the new job. */
async function enqueued(job: object): Promise<string> {
  const { url } = JSON.parse(readFileSync(join(folder, '.skein/node.json'), 'utf8')) as {
    url: string;
  };
  const body = JSON.stringify({ jobs: [job] });
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${url}/api/v1/jobs`, { method: 'POST', headers, body });
  const { jobs } = (await answer.json()) as { jobs: { id: string }[] };
  return jobs[0]!.id;
}

const PLAN = {
  data: {
    features: [{ name: 'mean_radius', kind: 'number', low: 5, high: 30 }],
    target: { name: 'diagnosis', kind: 'category', classes: ['benign', 'malignant'] },
  },
  strategy: { name: 'fedsgd', learningRate: 4 },
  rounds: 10,
  privacy: { mode: 'patient', epsilon: 1, delta: 0.001, denominator: 500 },
  sites: { minimum: 2, maximum: 2 },
};

/** Everything that a node keeps, in the folder of a running one. */
async function fill(keys: Kept['keys']): Promise<Kept> {
  const training = '--data wdbc.csv --label diagnosis --features mean_radius,mean_texture';
  const train = (seed: number) =>
    json(
      'train',
      '--model',
      'mlp:4',
      '--epochs',
      '2',
      '--seed',
      String(seed),
      ...training.split(' '),
      '--deploy',
      'tumours',
    );
  await train(1);
  await train(2);
  const row = '{"features": [17.99, 10.38]}';
  const { version: served, outputs } = await json<{
    version: string;
    outputs: { probabilities: { data: number[][] } };
  }>('infer', 'tumours', '--data', row);

  const script = 'echo printed; echo written > out.txt';
  const done = await enqueued({
    work: { kind: 'command', argv: ['sh', '-c', script], outputs: [{ path: 'out.txt' }] },
    // Ten years, the most: it is a week otherwise.
    retentionMs: 3650 * 24 * 3_600_000,
  });
  await runCli(['jobs', 'logs', '-f', done], given);
  await json('queue', 'pause', 'later');
  const work = { kind: 'command', argv: ['echo', 'late'] };
  const waiting = await enqueued({ work, queue: 'later' });
  await json('queue', 'schedule', 'put', '--cron', '0 3 1 1 *', '--', 'yearly', 'echo', 'yearly');
  await json('queue', 'tenant', 'shop', '--weight', '3');
  const artifact = await json<{ digest: string }>('artifacts', 'put', 'sales.csv');

  await json('provider', 'put', 'upstream', '--kind', 'openai', '--url', 'http://127.0.0.1:9/v1');
  await json('model', 'put', 'assistant', '--route', 'upstream=any');
  await json('budget', 'put', 'tenant:shop', '--usd', '5');
  await json('redaction', 'put', 'email', '--kind', 'email');

  writeFileSync(join(folder, 'plan.json'), JSON.stringify(PLAN));
  const federation = await json<{ federation: { id: string } }>(
    'federate',
    'start',
    'plan.json',
    '--name',
    'shared',
    '--site',
    'Basel',
    '--site',
    'Lyon',
  );
  // Versions before data sets have no such command.
  const { stdout: commands } = await runCli(['help'], given);
  const dataSet = commands.includes('data add') ? 'sales' : undefined;
  if (dataSet !== undefined) await json('data', 'add', dataSet, 'sales.csv');
  return {
    keys,
    served,
    answer: outputs.probabilities.data[0]!,
    done,
    waiting,
    artifact: artifact.digest,
    federation: federation.federation.id,
    ...(dataSet === undefined ? {} : { dataSet }),
  };
}

try {
  for (const file of ['sales/sales.csv', 'wdbc/wdbc.csv']) {
    cpSync(join(ROOT, 'examples', file), join(folder, file.split('/')[1]!));
  }
  const secretOf = async (scope: string): Promise<string> =>
    (await json<{ secret: string }>('keys', 'create', '--scope', scope, '--tenant', 'shop')).secret;
  const keys = { admin: await secretOf('admin'), infer: await secretOf('infer') };
  const node = startCli(['up', '--port', '0', '--grpc-port', '0'], given);
  await node.saw(/is ready/);
  try {
    writeFileSync(join(folder, 'kept.json'), JSON.stringify(await fill(keys), null, 2));
  } finally {
    node.process.kill('SIGTERM');
    await node.ended;
  }
  const packed = join(import.meta.dirname, `${version}.tar.gz`);
  const left = ['reserve', 'lock', 'jobs.lock', 'node.json'].map(
    (name) => `--exclude=.skein/${name}`,
  );
  execFileSync('tar', ['-czf', packed, ...left, '-C', folder, '.skein', 'kept.json']);
} finally {
  rmSync(folder, { recursive: true });
}

/**
 * `npm run federate-demo`: four processes that each hold the file of one hospital train one model,
 * with secure aggregation and differential privacy, on a node of their own. Then it checks the
 * ledger, and shows that an edited one is refused.
 *
 * Without `--data` the hospitals are generated. `--rounds N` and `--epsilon E` change the plan, and
 * `--port N` is where the node listens, for its console: without it, any free port.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createClient, type Client } from '@skein/api/client';
import type { FederationView } from '@skein/api';
import { ledgerText, verifyLedger, type LedgerExport } from '@skein/federation';
import { mlp, writeModel } from '@skein/onnx';
import { startNode } from '@skein/server';
import { assemblePublic } from '@skein/train';
import { csvOf, DATA, generatedHospitals, givenHospitals, type Hospital } from './hospitals.ts';

const { values: options } = parseArgs({
  options: {
    data: { type: 'string' },
    rounds: { type: 'string', default: '30' },
    epsilon: { type: 'string', default: '1' },
    port: { type: 'string', default: '0' },
  },
});
const port = Number(options.port);
if (!Number.isInteger(port) || port < 0 || port > 65_535) {
  throw new Error(`--port: "${options.port}" is not a port, a whole number from 0 to 65535.`);
}
const DELTA = 1e-3;
const POLL_MS = 100;
const MODEL = 'heart';
const SKEIN = join(import.meta.dirname, '../../packages/cli/src/main.ts');
const print = (text: string): void => void process.stdout.write(`${text}\n`);

const hospitals = options.data === undefined ? generatedHospitals() : givenHospitals(options.data);
const folder = await mkdtemp(join(tmpdir(), 'skein-federate-'));
const sites: ChildProcess[] = [];
const node = await startNode({
  dataFolder: join(folder, 'node'),
  port,
  queues: [],
  log: 'json',
  logLevel: 'error',
});
try {
  await demonstrate(createClient({ url: node.url }));
} finally {
  for (const site of sites) site.kill();
  await node.drain();
  await rm(folder, { recursive: true, force: true });
}

async function demonstrate(client: Client): Promise<void> {
  print(`A node on ${node.url}, while this runs.`);
  const rows = hospitals.reduce((sum, { train }) => sum + train.length, 0);
  print(
    `Four hospitals with ${rows} rows to train on${options.data === undefined ? ', generated' : ''}:`,
  );
  for (const { name, train, test } of hospitals) {
    print(`  ${name.padEnd(12)} ${String(train.length).padStart(4)} rows, ${test.length} held out`);
  }
  const model = assemblePublic(
    DATA,
    ({ inputs, outputs, seed }) => mlp({ sizes: [inputs, outputs], seed }),
    1,
  );
  const { version } = await client.importModel({
    name: MODEL,
    content: new Uint8Array(writeModel(model)),
  });
  const begun = await client.startFederation({
    model: MODEL,
    version,
    plan: {
      data: structuredClone(DATA) as never,
      strategy: { name: 'fedsgd', learningRate: 1 },
      rounds: Number(options.rounds),
      // A public round number, not a count of rows.
      privacy: {
        mode: 'patient',
        epsilon: Number(options.epsilon),
        delta: DELTA,
        denominator: 500,
      },
      sites: { minimum: 4, maximum: 4 },
    },
  });
  const { id, plan } = begun;
  print(
    `\nThe plan: ${plan.rounds} rounds, pairwise masks, noise ${plan.privacy.noise?.toFixed(2)}, ε ≤ ${plan.privacy.epsilon} at δ = ${DELTA}.`,
  );
  await Promise.all(hospitals.map((hospital) => joinAs(client, id, hospital)));
  const ended = await followed(client, id);
  if (ended.version === undefined)
    throw new Error(`The federation has ${ended.status}: ${ended.reason}`);
  await client.deploy({ name: MODEL, version: ended.version });
  print(
    `\nThe result is ${MODEL} v${ended.version}, and is served. On rows that no site has trained on:`,
  );
  await reportAccuracy(client);
  await checkLedger((await client.getLedger({ id })) as unknown as LedgerExport);
}

/** A process of its own, which gets its hospital's file and a link. */
async function joinAs(client: Client, id: string, { name, train }: Hospital): Promise<void> {
  const { invitation } = await client.inviteSite({ id, name });
  const home = join(folder, name);
  const file = join(folder, `${name}.csv`);
  await writeFile(file, csvOf(train));
  const link = `${node.url}/join#${invitation}`;
  const args = [
    'join',
    link,
    '--data',
    file,
    '--folder',
    home,
    '--accept',
    '--max-epsilon',
    options.epsilon,
  ];
  const site = spawn(process.execPath, [SKEIN, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  sites.push(site);
  const output: string[] = [];
  site.stderr?.on('data', (text: Buffer) => output.push(text.toString()));
  site.on('exit', (code) => {
    if (code !== 0 && code !== null) print(`The site ${name} has failed: ${output.join('')}`);
  });
}

async function followed(client: Client, id: string): Promise<FederationView> {
  let shown = 0;
  for (;;) {
    const view = await client.getFederation({ id });
    const isOver = view.status !== 'running' && view.status !== 'paused';
    if (view.round > shown) {
      const filled = Math.round((24 * view.round) / view.plan.rounds);
      const bar = `${'█'.repeat(filled)}${'░'.repeat(24 - filled)}`;
      const connected = view.sites.filter((site) => site.connected).length;
      print(
        `  ${bar} round ${String(view.round).padStart(2)} of ${view.plan.rounds}, ${connected} sites, ε spent ${view.spent.at(-1)?.epsilon?.toFixed(3)}`,
      );
      shown = view.round;
    }
    if (isOver && (view.version !== undefined || view.status !== 'finished')) return view;
    if (sites.every(({ exitCode }) => exitCode !== null) && !isOver)
      throw new Error('All sites have left.');
    await sleep(POLL_MS);
  }
}

/** Asks the served model about held-out rows, by the names of their columns. */
async function reportAccuracy(client: Client): Promise<void> {
  let [right, all] = [0, 0];
  for (const { name, test } of hospitals) {
    const shape = [test.length];
    const columns = DATA.features.map((feature, i) => {
      const column =
        feature.kind === 'category'
          ? { shape, data: test.map((row) => row[i]!) }
          : {
              shape,
              data: Float32Array.from(test, (row) =>
                row[i] === '' ? feature.fill : Number(row[i]),
              ),
            };
      return [feature.name, column] as const;
    });
    const { outputs } = await client.infer(MODEL, Object.fromEntries(columns));
    const [probability] = Object.values(outputs);
    const correct = test.filter(
      (row, i) => (Number(probability!.data[i]) > 0.5 ? '1' : '0') === row.at(-1),
    );
    const ill = test.filter((row) => row.at(-1) === '1').length;
    const majority = Math.max(ill, test.length - ill) / test.length;
    print(
      `  ${name.padEnd(12)} accuracy ${(correct.length / test.length).toFixed(3)}, the more frequent class ${majority.toFixed(3)}`,
    );
    right += correct.length;
    all += test.length;
  }
  print(`  ${'all'.padEnd(12)} accuracy ${(right / all).toFixed(3)}`);
}

async function checkLedger(ledger: LedgerExport): Promise<void> {
  const path = join(folder, 'ledger.json');
  await writeFile(path, ledgerText(ledger));
  const text = await readFile(path, 'utf8');
  const { entries, rounds, witnesses } = await verifyLedger(text);
  print(
    `\nThe ledger: ${entries} entries of ${rounds} rounds, signed by the coordinator and ${witnesses.size} sites. It verifies.`,
  );
  const edited = text.replace(/"epsilon":0\.\d/, '"epsilon":0.0');
  if (edited === text) throw new Error('The ledger has no ε to edit.');
  try {
    await verifyLedger(edited);
  } catch (error) {
    return print(`With one digit of an ε edited: ${(error as Error).message}`);
  }
  throw new Error('An edited ledger was accepted.');
}

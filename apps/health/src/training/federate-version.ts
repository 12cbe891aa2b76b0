/**
 * A version over hospitals whose rows do not move: two federations on one node. The first trains with secure sums and
 * patient-level privacy. In the second each hospital counts its held-out patients over the published bins, with noise,
 * charged to the same accounts. Each hospital is a process with its own file.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { FederationStatistics, FederationView } from '@skein/api';
import { createClient, type Client } from '@skein/api/client';
import { readModel, tensorOf, writeModel, type Model, type NumericTensor } from '@skein/onnx';
import { openFileArtifacts } from '@skein/state';
import { assemblePublic, withTrained } from '@skein/train';
import { BINS, EDGES, type SiteCounts } from '../method/counts.ts';
import { network } from '../method/network.ts';
import { COLUMNS, QUESTIONS, WIDTH } from '../method/questions.ts';
import type { HeartRow, Hospitals } from './heart-rows.ts';
import { splitHospitals, versionFrom, VERSION_NAME, type TrainedVersion } from './train-version.ts';

const POLL_MS = 100;
const DELTA = 1e-3;
/** Logits beyond count in the outermost bins. */
const OUTERMOST = 100;

export interface FederateOptions {
  /** Address of the node that coordinates. */
  readonly nodeUrl: string;
  /** Data folder of that node. */
  readonly nodeFolder: string;
  readonly hospitals: Hospitals;
  /** For the hospitals' files and memories. */
  readonly folder: string;
  /** Privacy budget of each of the two federations, at δ = 1e-3. */
  readonly epsilon: number;
  readonly rounds: number;
  readonly seed: number;
  readonly source: string;
  readonly progress: (text: string) => void;
}

export async function federateVersion(options: FederateOptions): Promise<TrainedVersion> {
  const { nodeUrl, nodeFolder, hospitals, epsilon, rounds, seed, source, progress } = options;
  const client = createClient({ url: nodeUrl });
  const { train, calibration } = splitHospitals(hospitals, seed);
  const whole = assemblePublic(COLUMNS, ({ inputs, seed: own }) => network(inputs, own), seed);
  const { version: first } = await client.importModel({
    name: VERSION_NAME,
    content: new Uint8Array(writeModel(whole)),
  });
  const count = Object.keys(hospitals).length;
  const rows = Object.values(train).flat().length;
  const plan = {
    data: structuredClone(COLUMNS) as never,
    privacy: { mode: 'patient', epsilon, delta: DELTA } as const,
    sites: { minimum: count, maximum: count },
  };
  const trained = await federate(client, options, 'train', train, {
    model: VERSION_NAME,
    version: first,
    plan: {
      ...plan,
      rounds,
      strategy: { name: 'fedsgd', learningRate: LEARNING_RATE },
      // A public round number, not a count of rows.
      privacy: { ...plan.privacy, denominator: Math.round(rows / 100) * 100 },
    },
  });
  const version = trained.view.version!;
  progress(`Version ${version} is trained; each hospital counts its other patients.`);
  const counted = await federate(client, options, 'count', calibration, {
    model: VERSION_NAME,
    version,
    plan: {
      ...plan,
      rounds: 1,
      strategy: {
        name: 'statistics',
        tables: [
          [{ kind: 'score', borders: [-OUTERMOST, ...EDGES, OUTERMOST] }, { kind: 'label' }],
        ],
        bySite: true,
      },
    },
  });
  const statistics = await client.getStatistics({ id: counted.view.id });
  const { digest } = await client.getVersion({ name: VERSION_NAME, version });
  const content = await contentOf(nodeFolder, digest);
  return versionFrom(coreOf(readModel(content)), countsBySite(statistics, counted.view), {
    source,
    seed,
    aggregation: 'secure sums with patient-level privacy',
    federation: trained.view.id,
    counting: counted.view.id,
    epsilon: 2 * epsilon,
    delta: 2 * DELTA,
    rounds,
  });
}

const LEARNING_RATE = 2;

async function contentOf(nodeFolder: string, digest: string): Promise<Uint8Array> {
  const artifacts = await openFileArtifacts(join(nodeFolder, 'artifacts'), { shared: true });
  try {
    return new Uint8Array(await readFile(await artifacts.pathOf(digest)));
  } finally {
    await artifacts.close();
  }
}

interface Federation {
  readonly view: FederationView;
}

async function federate(
  client: Client,
  { nodeUrl, folder, epsilon, progress }: FederateOptions,
  step: string,
  hospitals: Hospitals,
  draft: Parameters<Client['startFederation']>[0],
): Promise<Federation> {
  const { id } = await client.startFederation(draft);
  const sites = await Promise.all(
    Object.entries(hospitals).map(async ([name, rows]) => {
      const { invitation } = await client.inviteSite({ id, name });
      const home = join(folder, name);
      await mkdir(home, { recursive: true });
      const file = join(home, `${step}.csv`);
      await writeFile(file, csvOf(rows), { mode: 0o600 });
      return startSite(
        ['--data', file, '--folder', join(home, 'site'), '--max-epsilon', String(epsilon)],
        `${nodeUrl}/join#${invitation}`,
      );
    }),
  );
  try {
    return { view: await ended(client, id, sites, progress) };
  } finally {
    for (const { child } of sites) if (child.exitCode === null) child.kill();
    await Promise.all(sites.map(({ left }) => left));
  }
}

interface Site {
  readonly child: ChildProcess;
  readonly output: readonly string[];
  /** Resolves when the process has ended. */
  readonly left: Promise<unknown>;
}

const SKEIN = join(dirname(fileURLToPath(import.meta.resolve('@skein/cli/launch'))), 'skein.js');

function startSite(options: readonly string[], link: string): Site {
  const child = spawn(process.execPath, [SKEIN, 'join', link, ...options, '--accept'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const output: string[] = [];
  child.stderr.on('data', (text: Buffer) => output.push(text.toString()));
  return { child, output, left: once(child, 'exit') };
}

async function ended(
  client: Client,
  id: string,
  sites: readonly Site[],
  progress: FederateOptions['progress'],
): Promise<FederationView> {
  let shown = 0;
  for (;;) {
    const view = await client.getFederation({ id });
    if (view.round > shown) {
      const { epsilon } = view.spent.at(-1) ?? {};
      progress(`round ${view.round} of ${view.plan.rounds}, ε spent ${epsilon?.toFixed(2)}`);
      shown = view.round;
    }
    const isTraining = view.plan.strategy.name !== 'statistics';
    if (view.status === 'finished' && (!isTraining || view.version !== undefined)) return view;
    const failed = sites.find(({ child }) => child.exitCode !== null && child.exitCode !== 0);
    if (failed !== undefined)
      throw new Error(`A hospital has left: ${failed.output.join('').slice(-500)}`);
    if (!['running', 'paused', 'finished'].includes(view.status)) {
      throw new Error(`The federation has ${view.status}: ${view.reason}`);
    }
    await sleep(POLL_MS);
  }
}

function csvOf(rows: readonly HeartRow[]): string {
  const lines = rows.map(({ answers, ill }) =>
    [...QUESTIONS.map((question) => answers[question]), ill].join(','),
  );
  return `${[...QUESTIONS, COLUMNS.target.name].join(',')}\n${lines.join('\n')}\n`;
}

/** The network behind the encoder that a federation trains with it: its weights by their names. */
export function coreOf(whole: Model): Model {
  const tensors = new Map(
    whole.graph!.initializer.map((each) => [each.name, tensorOf(each) as NumericTensor]),
  );
  return withTrained(network(WIDTH, 0), tensors);
}

/** Cells are score × label, the label fastest; behind the bins of scores is one for rows without a score. */
function countsBySite(
  { tables: [table] }: FederationStatistics,
  { sites }: FederationView,
): Readonly<Record<string, SiteCounts>> {
  return Object.fromEntries(
    sites.map(({ name, pseudonym }) => {
      const { counts, deviation } = table!.sites[pseudonym]!;
      const of = (label: number) =>
        Array.from({ length: BINS }, (_, bin) => counts[2 * bin + label]!);
      return [name, { well: of(0), ill: of(1), noise: deviation }];
    }),
  );
}

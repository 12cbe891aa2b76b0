/** A node and files of rows for a federation whose participants are processes of the command. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Client } from '@skein/api/client';
import { seededRandom } from '@skein/onnx';
import { type NodeProcess, startNodeProcess } from '../../../server/src/testing/node-process.ts';
import { type CliProcess, startCli } from './cli.ts';

/** Part of a plan: the columns of the files, and rounds that take long enough to be interrupted. */
export const TERMS = {
  data: {
    features: [
      { name: 'age', kind: 'number', low: 20, high: 80 },
      { name: 'sex', kind: 'category', categories: ['0', '1'] },
    ],
    target: { name: 'ill', kind: 'category', classes: ['0', '1'] },
  },
  strategy: { name: 'fedavg' },
  local: { steps: 3000, batch: 20, learningRate: 0.5 },
} as const;

export interface FederationScene extends AsyncDisposable {
  readonly folder: string;
  node: NodeProcess;
  readonly client: Client;
  /** A command with a data folder of its own, which has its keys and its memory. */
  start(name: string, ...words: string[]): CliProcess;
}

/**
 * @param sites that each have a file `NAME.csv` of 60 rows.
 * @param plan written to `plan.json`.
 * @param args further ones of `skein up`.
 */
export async function openFederationScene(
  sites: readonly string[],
  plan?: object,
  args: readonly string[] = [],
): Promise<FederationScene> {
  const folder = await mkdtemp(join(tmpdir(), 'skein-federation-'));
  const random = seededRandom(1);
  for (const name of sites) {
    const rows = Array.from({ length: 60 }, () => {
      const age = Math.round(20 + 60 * random.next());
      return `${age},${random.next() < 0.5 ? 0 : 1},${age > 50 ? 1 : 0}`;
    });
    await writeFile(join(folder, `${name}.csv`), ['age,sex,ill', ...rows, ''].join('\n'));
  }
  if (plan !== undefined) await writeFile(join(folder, 'plan.json'), JSON.stringify(plan));
  const running = new Set<CliProcess>();
  const node = await startNodeProcess({ folder, args });
  const scene: FederationScene = {
    folder,
    node,
    client: createClient({ url: node.url }),
    start(name, ...words) {
      const cli = startCli([...words, '--folder', join(folder, name), '--json'], { cwd: folder });
      running.add(cli);
      void cli.ended.then(() => running.delete(cli));
      return cli;
    },
    async [Symbol.asyncDispose]() {
      for (const each of running) each.process.kill('SIGKILL');
      await scene.node.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return scene;
}

/** The product's side: statements and programs over files, by the client of a node that runs. */
import { readFile, readdir, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { openAsBlob } from 'node:fs';
import type { JobView, NewJobInput } from '@skein/api';
import { hasEnded } from '@skein/api/job-states';
import type { DataSet, Source } from '@skein/data/data-set';
import type { MapInput, MapOutput } from '@skein/jobs/map';
import { launchNode } from '../harness/node.ts';
import type { Tables } from './duckdb.ts';

export interface Answer {
  /** From the submission until the result is known, in milliseconds. */
  readonly ms: number;
  /** The files of the rows, in the store of artifacts. */
  readonly files: readonly string[];
  readonly plan: readonly string[];
}

export interface StatementOptions {
  /** Memory of a job of the statement. */
  readonly memoryBytes: number;
  /** Labels that its workers must have. */
  readonly requires?: readonly string[];
  /** Attempts of each of its jobs. */
  readonly attempts?: number;
}

export interface Skein {
  /** The rows of a statement over files where they lie. @throws Error where it does not succeed. */
  readonly statement: (sql: string, tables: Tables, options: StatementOptions) => Promise<Answer>;
  /** A statement over many files of one table, `data`. */
  readonly statementOver: (
    sql: string,
    files: readonly string[],
    options: StatementOptions,
  ) => Promise<Answer>;
  /** A program over each file, in isolation; its uploads are timed too. */
  readonly program: (argv: readonly string[], files: readonly string[]) => Promise<Answer>;
  /** Bytes of all artifacts. */
  readonly storedBytes: () => Promise<number>;
  readonly close: () => Promise<void>;
}

/** @param artifacts the folder of its artifacts; default: the one in its data folder. */
export async function startSkein(
  dataFolder: string,
  options: readonly string[] = [],
  artifacts: string = join(dataFolder, 'blobs'),
): Promise<Skein> {
  const node = await launchNode({ dataFolder, options });
  const { client } = node;
  const leave = new AbortController();
  const ended = new Set<string>();
  let notify = (): void => undefined;
  const following = (async () => {
    for await (const { job, state } of client.jobEvents({}, { signal: leave.signal })) {
      if (!hasEnded(state)) continue;
      ended.add(job);
      notify();
    }
  })().catch((error: unknown) => {
    if (!leave.signal.aborted) throw error;
  });

  async function result(id: string): Promise<JobView> {
    while (!ended.has(id)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const before = notify;
      notify = () => (before(), resolve());
      await Promise.race([promise, following]);
    }
    ended.delete(id);
    return client.getJob({ id });
  }

  /** @param begun when the time of the answer begins. */
  async function run(input: unknown, requires: readonly string[], begun: number): Promise<Answer> {
    const job: NewJobInput = {
      name: 'bench',
      work: { kind: 'task', task: 'skein-map', module: { offered: true }, input },
      resources: { cores: 0.05, memoryBytes: 64 * 2 ** 20 },
      requires: ['task:skein-map', ...requires],
      retry: { maxAttempts: 1000, backoffMs: 1000, maxBackoffMs: 60_000 },
    };
    const { jobs } = await client.enqueueJobs({ jobs: [job] });
    const view = await result(jobs[0]!.id);
    const ms = performance.now() - begun;
    if (view.state !== 'succeeded' || view.result === undefined) {
      throw new Error(`skein map: ${view.state}: ${view.message}`);
    }
    const { manifest = '', plan } = view.result.value as MapOutput;
    const { shards } = JSON.parse(await readFile(join(artifacts, manifest), 'utf8')) as DataSet;
    return { ms, plan, files: shards.map(({ digest }) => join(artifacts, digest)) };
  }

  async function statement(
    sql: string,
    files: Readonly<Record<string, readonly string[]>>,
    { memoryBytes, requires = [], attempts = 3 }: StatementOptions,
  ): Promise<Answer> {
    const begun = performance.now();
    const tables: Record<string, Source> = {};
    for (const [name, paths] of Object.entries(files)) tables[name] = await placed(paths);
    const labels = [`machine:${hostname()}`, ...requires];
    const input: Partial<MapInput> = {
      tables,
      work: { kind: 'sql', sql },
      format: 'parquet',
      memoryBytes,
      attempts,
      requires: labels,
    };
    return run(input, labels, begun);
  }

  return {
    statement(sql, tables, options) {
      const files = Object.entries(tables).map(([name, path]) => [name, [path]] as const);
      return statement(sql, Object.fromEntries(files), options);
    },
    statementOver: (sql, files, options) => statement(sql, { data: files }, options),
    async program(argv, files) {
      const begun = performance.now();
      const shards: DataSet['shards'] = [];
      for (const file of files) {
        shards.push(await client.uploadArtifact({ content: await openAsBlob(file) }));
      }
      const tables = { data: { format: 'csv', shards } };
      return run({ tables, work: { kind: 'command', argv }, format: 'csv' }, [], begun);
    },
    async storedBytes() {
      let bytes = 0;
      for (const name of await readdir(artifacts))
        bytes += (await stat(join(artifacts, name))).size;
      return bytes;
    },
    async close() {
      leave.abort();
      await following;
      await node.stop();
    },
  };
}

async function placed(paths: readonly string[]): Promise<Source> {
  const shards: Source['shards'] = [];
  for (const path of paths) {
    const { size, mtimeMs } = await stat(path);
    shards.push({ path, sizeBytes: size, modifiedMs: mtimeMs });
  }
  return { format: paths[0]!.endsWith('.csv') ? 'csv' : 'parquet', shards };
}

/**
 * Trains with PyTorch over several ranks as a gang of jobs, and waits for the model that rank 0
 * exports. The ranks start together. When one is lost, the whole gang is tried again from the newest
 * checkpoint of its ranks.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@skein/api/client';
import type { JobView } from '@skein/api';

const MIB = 2 ** 20;
const TRAIN = join(import.meta.dirname, 'train.py');

export interface GangOptions {
  /** Path of a CSV table whose columns but one are numbers. */
  readonly table: string;
  /** The column with the class. */
  readonly label: string;
  readonly ranks: number;
  readonly epochs: number;
  /** Called with the reports of the ranks, a short line each time. */
  readonly onProgress?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Enqueues the gang: two ranks or more, with one core each.
 * @throws SkeinError as the node does: trusted work requires the scope `admin`.
 */
export async function startGang(client: Client, options: GangOptions): Promise<JobView[]> {
  const { table, label, ranks, epochs } = options;
  const [script, data] = await Promise.all(
    [TRAIN, table].map(async (path) => client.uploadArtifact({ content: await readFile(path) })),
  );
  const id = `ddp-${crypto.randomUUID()}`;
  const { jobs } = await client.enqueueJobs({
    jobs: Array.from({ length: ranks }, (_, rank) => ({
      name: `rank ${rank} of ${ranks}`,
      group: id,
      gang: { id, size: ranks, rank },
      resources: { cores: 1, memoryBytes: 1024 * MIB },
      retry: { maxAttempts: 5, backoffMs: 200, maxBackoffMs: 10_000 },
      work: {
        kind: 'command' as const,
        argv: ['/usr/bin/python3', 'train.py', 'table.csv', label, '--epochs', String(epochs)],
        // The ranks connect over the network of the host, which only trusted work may use. Gloo finds
        // its interface over netlink, which the isolating sandboxes refuse.
        trusted: true,
        sandbox: 'process' as const,
        network: 'host' as const,
        inputs: [
          { path: 'train.py', digest: script!.digest },
          { path: 'table.csv', digest: data!.digest },
        ],
        outputs: rank === 0 ? [{ path: 'model.onnx' }] : [],
        checkpoint: 'checkpoint',
      },
    })),
  });
  return jobs;
}

/**
 * Waits until all ranks have succeeded.
 * @returns the exported model, an ONNX file.
 * @throws Error when a rank fails for good, with the end of its log.
 */
export async function gangModel(
  client: Client,
  ranks: readonly JobView[],
  { onProgress, signal }: Pick<GangOptions, 'onProgress' | 'signal'> = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const leave = new AbortController();
  const stop = signal === undefined ? leave.signal : AbortSignal.any([signal, leave.signal]);
  const events = client.jobEvents({ group: ranks[0]!.group! }, { signal: stop, lastEventId: 0 });
  const rankOf = new Map(ranks.map((job) => [job.id, job.gang!.rank]));
  const open = new Set(rankOf.keys());
  for await (const { job, kind, state, cause, progress } of events) {
    const rank = rankOf.get(job);
    if (rank === undefined) continue;
    if (kind === 'progress' && rank === 0 && progress) onProgress?.(progress.message);
    if (kind !== 'state') continue;
    if (cause !== undefined) onProgress?.(`rank ${rank} is ${state}: ${cause}`);
    if (state === 'failed' || state === 'dead' || state === 'cancelled') {
      throw new Error(await wordsOf(client, job, rank));
    }
    if (state === 'succeeded') open.delete(job);
    if (open.size === 0) break;
  }
  signal?.throwIfAborted();
  const { result } = await client.getJob({ id: ranks[0]!.id });
  const { digest } = result!.outputs.find(({ path }) => path === 'model.onnx')!;
  return new Uint8Array(
    await new Response(await client.downloadArtifact({ digest })).arrayBuffer(),
  );
}

async function wordsOf(client: Client, id: string, rank: number): Promise<string> {
  const [job, log] = await Promise.all([client.getJob({ id }), client.readJobLog({ id })]);
  return `Rank ${rank} has failed for good: ${job.message ?? job.state}\n${log.text.slice(-2000)}`;
}

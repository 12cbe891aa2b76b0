/**
 * A training as a gang of jobs: its files and its plan are uploaded to a node, every rank is a job,
 * and the run of rank 0 is stored in the caller's data folder, like a local run.
 *
 * The ranks start together or not at all. When one is lost, the node retries all of them, and they
 * resume from the last checkpoint that a rank has kept a copy of.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { Run, type JobView } from '@skein/api';
import type { Client } from '@skein/api/client';
import { SkeinError } from '@skein/api/errors';
import { downloadArtifact, uploadFiles } from '@skein/api/files';
import { formatBytes } from '@skein/api/units';
import { openRunFolder } from '@skein/state/runs';
import type { Training } from '../../task/define-training.ts';
import { saveOrigin, toOrigin, type Origin } from '../origin.ts';
import { checkTraining, type CheckedTraining, type TrainedRun } from '../train-run.ts';
import { followJobs } from './follow-jobs.ts';
import { gangFilesOf, type GangFiles } from './gang-files.ts';

export interface TrainJobsOptions {
  /** The node whose workers train. */
  readonly client: Client;
  /** How many jobs train together. */
  readonly ranks: number;
  /** The data folder: the run is kept in `runs/` of it. */
  readonly folder: string;
  /** Cancels the jobs. */
  readonly signal?: AbortSignal | undefined;
  /** The state of the jobs, in words. */
  readonly onNote?: ((text: string) => void) | undefined;
  /** How much is uploaded, then how far rank 0 is: a share from 0 to 1, and words. */
  readonly onProgress?: ((fraction: number, message: string) => void) | undefined;
}

const RANK_PROGRAM = fileURLToPath(new URL('./rank-program.ts', import.meta.url));
const MEMORY_BYTES = 2 ** 30;
const DAY_MS = 86_400_000;
/** A training may take long; the default of jobs is an hour. */
const LONGEST_MS = 30 * DAY_MS;
/** Attempts after a member's own failures; the failures of other members do not count. */
const ATTEMPTS = 5;
/** Milliseconds that the node has to note the finished run. */
const PATIENCE_MS = 2000;
/** Places in the workspace of a rank: the folder of its run, and two inputs. */
const KEPT = 'kept';
const SECRET = 'secret';
const PLAN = 'plan.json';

/**
 * @param given a training, whose paths are relative to the working folder, or the origin of one.
 * @throws SkeinError as `trainRun` does; USAGE for a training with values of the program, such as an
 * optimiser; TRAINING_RANK_LOST when a rank fails for good.
 */
export async function trainAsJobs(
  given: Training | Origin,
  options: TrainJobsOptions,
): Promise<TrainedRun> {
  const { client, onNote, signal = new AbortController().signal } = options;
  const origin = toOrigin(given);
  // An invalid training is refused before a job is enqueued.
  const checked = await checkTraining(origin, options.folder);
  const files = await gangFilesOf(origin, checked.name);
  const jobs = await enqueue({ ...options, signal }, files, checked);
  onNote?.(`Accepted as ${jobs.map(({ id }) => id).join(', ')}.`);
  try {
    const leader = await followJobs(jobs, { ...options, signal });
    return await storeRun({ ...options, signal }, leader, origin, checked);
  } catch (error) {
    if (signal.aborted) {
      const reason = 'interrupted by its caller';
      await Promise.all(jobs.map(({ id }) => client.cancelJob({ id, reason }, { signal: null })));
    }
    throw error;
  }
}

type Following = TrainJobsOptions & { readonly signal: AbortSignal };

async function enqueue(
  { client, ranks, signal, onProgress }: Following,
  { files, plan }: GangFiles,
  { name, threads }: CheckedTraining,
): Promise<readonly JobView[]> {
  const inputs = await uploadFiles(client, files, {
    signal,
    onFile({ path, sizeBytes }, index) {
      const place = `${index + 1} of ${files.length}`;
      onProgress?.(index / files.length, `uploading ${path} (${formatBytes(sizeBytes)}, ${place})`);
    },
  });
  const uploadText = async (path: string, text: string) => {
    const { digest } = await client.uploadArtifact(
      { content: new TextEncoder().encode(text) },
      { signal },
    );
    return { path, digest };
  };
  const texts = [
    await uploadText(PLAN, plan),
    await uploadText(SECRET, randomBytes(32).toString('hex')),
  ];
  const id = `train-${randomUUID()}`;
  const { jobs } = await client.enqueueJobs(
    {
      jobs: Array.from({ length: ranks }, (_, rank) => ({
        name: `train ${name}, rank ${rank} of ${ranks}`,
        group: id,
        gang: { id, size: ranks, rank },
        resources: { cores: threads, memoryBytes: MEMORY_BYTES },
        retry: { maxAttempts: ATTEMPTS, backoffMs: 200, maxBackoffMs: 10_000 },
        work: {
          kind: 'command' as const,
          // Workers on other machines have Skein at the same path.
          argv: [process.execPath, RANK_PROGRAM, PLAN, KEPT],
          env: { SKEIN_GROUP_SECRET_FILE: SECRET },
          // The ranks talk over the network of the host, which requires trusted work.
          trusted: true,
          sandbox: 'process' as const,
          network: 'host' as const,
          limits: { wallMs: LONGEST_MS },
          inputs: [...inputs, ...texts],
          outputs: rank === 0 ? [{ path: `${KEPT}/runs` }] : [],
          checkpoint: `${KEPT}/runs`,
        },
      })),
    },
    { signal },
  );
  return jobs;
}

const RUN_FILE = new RegExp(
  String.raw`^${KEPT}/runs/([a-z0-9-]+)/(run\.json|start\.onnx|checkpoint\.safetensors|model\.onnx)$`,
);

/** Stores the run of rank 0, with the names of the caller's files, and reports it to the node. */
async function storeRun(
  { client, folder: data, ranks, signal }: Following,
  leader: JobView,
  origin: Origin,
  checked: CheckedTraining,
): Promise<TrainedRun> {
  const found = (leader.result?.outputs ?? []).flatMap(({ path, digest }) => {
    const [, id, name] = RUN_FILE.exec(path) ?? [];
    return id === undefined || name === undefined ? [] : [{ id, name, digest }];
  });
  const id = found.find(({ name }) => name === 'model.onnx')?.id;
  if (id === undefined) {
    throw new SkeinError('RUN_UNFINISHED', `Job ${leader.id} has left no trained model.`);
  }
  const folder = await openRunFolder(data, id);
  try {
    for (const { name, digest, id: of } of found) {
      if (of === id) await downloadArtifact(client, digest, folder.file(name), signal);
    }
    await saveOrigin(folder, origin);
    const made = Run.parse(
      readJson(await readFile(folder.file('run.json'), 'utf8'), JSON_BOUNDS.stored),
    );
    const run: Run = {
      ...made,
      plan: { ...checked.plan, gang: ranks },
      lineage: { ...made.lineage, ...checked.lineage },
      process: { host: hostname(), pid: process.pid },
    };
    await folder.record(run);
    await client.putRun({ id, run }, { timeoutMs: PATIENCE_MS }).catch(() => undefined);
    const model = new Uint8Array(await readFile(folder.file('model.onnx')));
    return { run, path: folder.path, model };
  } finally {
    folder.close();
  }
}

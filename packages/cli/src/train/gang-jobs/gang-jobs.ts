/**
 * A training as a gang of jobs: files and settings are uploaded to the node, every rank is a job,
 * and the run of rank 0 is stored in the runs folder of the caller, like a local run.
 *
 * The ranks start together or not at all. When one is lost, the node retries all of them, and they
 * resume from the last checkpoint of which a rank has kept a copy.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { Run, type JobView } from '@skein/api';
import type { Client } from '@skein/api/client';
import { SkeinError } from '@skein/api/errors';
import { openRunFolder } from '@skein/state/runs';
import {
  checkTraining,
  saveOrigin,
  type CheckedTraining,
  type Origin,
  type TrainedRun,
} from '@skein/train/run';
import type { Context } from '../../command.ts';
import { dataFolder, type ConnectionChoice } from '../../connection.ts';
import { connectOrStart } from '../../jobs/embedded.ts';
import { uploadInputs } from '../../jobs/inputs.ts';
import { downloadArtifact } from '../../jobs/outputs.ts';
import type { Flags } from '../options.ts';
import { reportRun } from '../runs.ts';
import { gangInputsOf, type GangInputs } from './gang-inputs.ts';
import { followGangJobs } from './follow-jobs.ts';

const MEMORY_BYTES = 2 ** 30;
const DAY_MS = 86_400_000;
/** A training may take long; the default of jobs is an hour. */
const LONGEST_MS = 30 * DAY_MS;
/** Attempts after a member's own failures; the failures of other members do not count. */
const ATTEMPTS = 5;
/** Folder of a member's run. */
const KEPT = 'kept';
const SECRET = 'secret';

/** @throws SkeinError as `trainRun` does; TRAINING_RANK_LOST when a rank fails for good. */
export async function trainAsGang(
  context: Context,
  choice: ConnectionChoice,
  { origin, flags, ranks }: Pick<GangTraining, 'origin' | 'ranks'> & { readonly flags: Flags },
): Promise<TrainedRun> {
  // An invalid training is refused before a job is enqueued.
  const checked = await checkTraining(origin, dataFolder(context, choice.data));
  const gangInputs = await gangInputsOf(origin, flags);
  const training = { origin, ranks, checked };
  const connection = await connectOrStart(context, choice, true);
  let jobs: readonly JobView[] = [];
  const cancelAll = async () => {
    const reason = 'interrupted by its caller';
    await Promise.all(jobs.map(({ id }) => connection.client.cancelJob({ id, reason })));
  };
  context.onInterrupt(async () => {
    await cancelAll();
    await connection.close();
  });
  try {
    jobs = await enqueue(context, connection.client, gangInputs, training);
    context.notes.line(`Accepted as ${jobs.map(({ id }) => id).join(', ')}.`);
    const leader = await followGangJobs(context, connection.client, jobs);
    return await storeRun(context, choice, connection.client, leader, training);
  } finally {
    await connection.close();
  }
}

interface GangTraining {
  readonly origin: Origin;
  readonly ranks: number;
  readonly checked: CheckedTraining;
}

async function enqueue(
  context: Context,
  client: Client,
  { files, words }: GangInputs,
  { origin, ranks, checked: { name, threads } }: GangTraining,
): Promise<readonly JobView[]> {
  const inputs = await uploadInputs(context, client, files);
  const content = new TextEncoder().encode(randomBytes(32).toString('hex'));
  const secret = await client.uploadArtifact({ content });
  const id = `train-${randomUUID()}`;
  const argv = [
    // The same command as this one: workers on other machines have Skein at the same path.
    process.execPath,
    process.argv[1] ?? '',
    'train',
    ...words,
    ...(origin.flags.name === undefined ? [`--name=${name}`] : []),
    '--retried',
    `--folder=${KEPT}`,
  ];
  const { jobs } = await client.enqueueJobs({
    jobs: Array.from({ length: ranks }, (_, rank) => ({
      name: `train ${name}, rank ${rank} of ${ranks}`,
      group: id,
      gang: { id, size: ranks, rank },
      resources: { cores: threads, memoryBytes: MEMORY_BYTES },
      retry: { maxAttempts: ATTEMPTS, backoffMs: 200, maxBackoffMs: 10_000 },
      work: {
        kind: 'command' as const,
        argv,
        env: { SKEIN_GROUP_SECRET_FILE: SECRET },
        // The ranks talk over the network of the host, which requires trusted work.
        trusted: true,
        sandbox: 'process' as const,
        network: 'host' as const,
        limits: { wallMs: LONGEST_MS },
        inputs: [...inputs, { path: SECRET, digest: secret.digest }],
        outputs: rank === 0 ? [{ path: `${KEPT}/runs` }] : [],
        checkpoint: `${KEPT}/runs`,
      },
    })),
  });
  return jobs;
}

const RUN_FILE = new RegExp(
  String.raw`^${KEPT}/runs/([^/]+)/(run\.json|start\.onnx|checkpoint\.safetensors|model\.onnx)$`,
);

/** Stores the run of rank 0 in the local runs folder, with the names of local files. */
async function storeRun(
  context: Context,
  choice: ConnectionChoice,
  client: Client,
  leader: JobView,
  { origin, ranks, checked }: GangTraining,
): Promise<TrainedRun> {
  const found = (leader.result?.outputs ?? []).flatMap(({ path, digest }) => {
    const [, id, name] = RUN_FILE.exec(path) ?? [];
    return id === undefined || name === undefined ? [] : [{ id, name, digest }];
  });
  const id = found.find(({ name }) => name === 'model.onnx')?.id;
  if (id === undefined) {
    throw new SkeinError('RUN_UNFINISHED', `Job ${leader.id} has left no trained model.`);
  }
  const folder = await openRunFolder(dataFolder(context, choice.data), id);
  try {
    for (const { name, digest, id: of } of found) {
      if (of === id) await downloadArtifact(client, digest, folder.file(name), context.signal);
    }
    await saveOrigin(folder, origin);
    const made = Run.parse(JSON.parse(await readFile(folder.file('run.json'), 'utf8')));
    const run: Run = {
      ...made,
      plan: { ...checked.plan, gang: ranks },
      lineage: { ...made.lineage, ...checked.lineage },
      process: { host: hostname(), pid: process.pid },
    };
    await folder.record(run);
    await reportRun(context, choice, run).catch(() => undefined);
    const model = new Uint8Array(await readFile(folder.file('model.onnx')));
    return { run, path: folder.path, model };
  } finally {
    folder.close();
  }
}

/**
 * The tasks of judge workers: one job judges one submission, in one thread and one sandbox session.
 * Problems and sources are artifacts, and so is the judgement, so that a worker shares only the
 * store of jobs and the artifacts with the service.
 */
import { readFile } from 'node:fs/promises';
import { SkeinError } from '@skein/api';
import { defineTask, type TaskContext } from '@skein/jobs/task';
import { z } from 'zod';
import { packagesIn } from '../../judging/cache-folder.ts';
import { judge } from '../../judging/judge.ts';
import { machineCeilings, refuseDishonourable } from '../../judging/limits.ts';
import type { Submission } from '../../judging/submission.ts';
import type { Problem } from '../../package/problem.ts';
import { timeLimitOf } from '../../verify/verify.ts';
import { type Guests, openGuests } from './guests.ts';
import type { JudgementRecord } from '../../judging/events.ts';
import { cachedProblem } from './package-cache.ts';
import { decodeSource } from './source-files.ts';
import { judgementRecord, liveWriter } from './wire.ts';

/** Absolute path of this module, for workers that offer its tasks. */
export const JUDGE_TASKS = import.meta.filename;

const Digest = z.string().regex(/^[0-9a-f]{64}$/);
const Package = z.object({ digest: Digest, shortName: z.string() });

export const judgeSubmission = defineTask({
  name: 'judge-submission',
  input: z.object({
    package: Package,
    /** The artifact with the submitted files. */
    source: Digest,
    language: z.string().optional(),
    entryPoint: z.string().optional(),
    /** Cpu time of a run. */
    timeMs: z.number().positive(),
  }),
  output: z.object({ judgement: Digest }),
  async run({ package: reference, source, language, entryPoint, timeMs }, context) {
    const files = decodeSource(await readFile(await context.artifacts.pathOf(source)));
    const judgement = await withProblem(reference, context, (problem, { sandbox }) =>
      judgeOne({ files, language, entryPoint }, problem, sandbox, timeMs, context),
    );
    const { digest } = await context.artifacts.put(
      Buffer.from(JSON.stringify(judgement)),
      'judgement.json',
    );
    return { judgement: digest };
  },
});

/** Measures the time limit of a problem that does not declare one. */
export const judgeTimeLimit = defineTask({
  name: 'judge-time-limit',
  input: z.object({ package: Package }),
  output: z.object({ timeMs: z.number() }),
  run: ({ package: reference }, context) =>
    withProblem(reference, context, async (problem, { sandbox }) => ({
      timeMs: await timeLimitOf(problem, sandbox, { signal: context.signal }),
    })),
});

async function withProblem<Result>(
  reference: z.infer<typeof Package>,
  context: TaskContext,
  work: (problem: Problem, guests: Guests) => Promise<Result>,
): Promise<Result> {
  const guests = await openGuests();
  try {
    const folder = packagesIn(guests.cacheFolder);
    const problem = await cachedProblem(folder, reference, context.artifacts.pathOf);
    refuseDishonourable(problem, machineCeilings());
    return await work(problem, guests);
  } finally {
    await guests.close();
  }
}

async function judgeOne(
  submission: Submission,
  problem: Problem,
  sandbox: Guests['sandbox'],
  timeMs: number,
  { log, progress, signal }: TaskContext,
): Promise<JudgementRecord> {
  const write = liveWriter(log);
  try {
    const events = judge(submission, problem, sandbox, { timeMs, signal });
    for (;;) {
      const step = await events.next();
      if (step.done === true) return judgementRecord(step.value);
      write(step.value);
      if (step.value.type === 'test') {
        const { index, total, result } = step.value;
        progress((index + 1) / total, `${result.name}: ${result.verdict}`);
      }
    }
  } catch (error) {
    // Errors that only the build reveals, such as two classes with a main, are for the author, not
    // for the judges.
    if (!(error instanceof SkeinError) || error.code !== 'SUBMISSION_INVALID') throw error;
    return {
      verdict: 'CE',
      reason: error.message,
      compileOutput: error.message,
      usage: { cpuMs: 0, wallMs: 0, memoryBytes: 0 },
      tests: [],
      groups: [],
    };
  }
}

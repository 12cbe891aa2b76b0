/** The job that judges a submission. */
import type { JobSpec } from '@skein/jobs';
import { taskWork } from '@skein/jobs/task';
import { detectLanguage } from '../../languages/languages.ts';
import { machineCeilings, runLimits, validatorLimits } from '../../judging/limits.ts';
import { casesOf, type Problem, type ProgramFile } from '../../package/problem.ts';
import { judgeSubmission } from '../worker/judge-tasks.ts';
import { JUDGE_QUEUE, LANGUAGE_LABEL } from '../worker/judge-worker.ts';
import type { SubmissionRow } from './submissions.ts';

/** Lost workers that one submission tolerates. */
const ATTEMPTS = 5;
const RETENTION_MS = 24 * 3_600_000;
const MOST_WALL_MS = 24 * 3_600_000;
const MARGIN_MS = 60_000;

/** @param service distinguishes the jobs of several services in one store. */
export function judgingJob(
  submission: SubmissionRow,
  problem: Problem,
  timeMs: number,
  service: string,
): JobSpec {
  const { id, judging, source, language, entryPoint } = submission;
  const input = {
    package: { digest: submission.package, shortName: problem.shortName },
    source,
    timeMs,
    ...(language === undefined ? {} : { language }),
    ...(entryPoint === undefined ? {} : { entryPoint }),
  };
  const requires = [`task:${judgeSubmission.name}`];
  if (language !== undefined && !problem.type.submitAnswer) {
    requires.push(LANGUAGE_LABEL + language);
  }
  return {
    queue: JUDGE_QUEUE,
    tenant: submission.user,
    name: `${problem.shortName} by ${submission.user}, submission ${id}`,
    work: taskWork(judgeSubmission, { offered: true }, input, {
      wallMs: longestMs(problem, timeMs),
    }),
    // Rejudging has a lower priority than new submissions.
    priority: judging === 1 ? 0 : -10,
    resources: { cores: 1, memoryBytes: memoryOf(problem) },
    requires: requires.sort(),
    retry: { maxAttempts: ATTEMPTS, backoffMs: 200, maxBackoffMs: 10_000 },
    parents: [],
    group: `${service}-${id}`,
    // With the package: a job for one that was replaced since is not the one that is asked for.
    idempotencyKey: `${service}/${id}/${judging}/${submission.package}`,
    retentionMs: RETENTION_MS,
  };
}

/** Resources of a solution; its validator needs little in addition. */
export function memoryOf({ limits }: Problem): number {
  return Math.min(
    Math.max(limits.memoryBytes, limits.compilationMemoryBytes),
    machineCeilings().memoryBytes,
  );
}

/** An upper bound: every test takes its whole limit. */
function longestMs(problem: Problem, timeMs: number): number {
  const run = runLimits(problem, timeMs);
  const { wallMs: validation = 0 } = validatorLimits(problem, run);
  const tests = [...casesOf(problem.tests)].length;
  const passes = problem.type.multiPass ? problem.limits.validationPasses : 1;
  const all = problem.limits.compilationMs * 2 + tests * passes * (run.wallMs + validation);
  return Math.min(all + MARGIN_MS, MOST_WALL_MS);
}

/** The language that will be judged, when it can be determined without building. */
export function languageOfFiles(
  files: readonly ProgramFile[],
  given: string | undefined,
): string | undefined {
  if (given !== undefined) return given;
  const detected = detectLanguage(files);
  return 'problem' in detected ? undefined : detected.code;
}

/** One test of a submission: run, validate, and again for every further pass. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Ending } from '@skein/sandbox';
import type { Problem, ProgramFile, TestCase } from '../package/problem.ts';
import type { OutputValidator, TestValidation, Validation } from '../validation/validator.ts';
import type { CaseUsage, FullFeedback, TestResult } from './events.ts';
import { interact } from './interaction.ts';
import { JudgeFault } from './judge-fault.ts';
import type { solutionRuns } from './solution-session.ts';
import { failureOf, type Outcome, type RunLimits } from './verdict.ts';

export interface TestRig {
  readonly problem: Problem;
  readonly start: ReturnType<typeof solutionRuns>;
  readonly validator: OutputValidator;
  readonly limits: RunLimits;
}

interface Pass {
  readonly outcome: Outcome;
  readonly ending: Ending;
  readonly validation: Validation | undefined;
  readonly output: Uint8Array;
  readonly stderr: string;
}

const NOTHING = new Uint8Array();
const FEEDBACK_CHARACTERS = 4096;
const STDERR_BYTES = 16_384;

/** @throws JudgeFault when the problem misbehaves. */
export async function runTest(rig: TestRig, test: TestCase): Promise<TestResult> {
  const { problem } = rig;
  const read = (path: string): Promise<Uint8Array> => readPackageFile(problem, path);
  const [input, answer] = await Promise.all([read(test.input), read(test.answer)]);
  const files = await Promise.all(
    [...test.files].map(async ([path, source]): Promise<ProgramFile> => ({
      path,
      content: await read(source),
      executable: false,
    })),
  );
  const validation = await rig.validator.begin(test, answer);
  const usages: CaseUsage[] = [];
  let passInput = input;
  for (let pass = 1; ; pass++) {
    const done = problem.type.interactive
      ? await interactivePass(rig, test, files, validation, passInput)
      : await batchPass(rig, test, files, validation, passInput);
    usages.push(usageOf(done.ending));
    const next = done.validation?.nextPass;
    if (next === undefined) {
      const [shownInput, shownAnswer] = await Promise.all([
        test.shown.input === test.input ? input : read(test.shown.input),
        test.shown.answer === test.answer ? answer : read(test.shown.answer),
      ]);
      return result(test, done, usages, { input: shownInput, answer: shownAnswer });
    }
    if (!problem.type.multiPass) {
      throw new JudgeFault('the validator wrote nextpass.in, but the problem is not multi-pass');
    }
    if (pass >= problem.limits.validationPasses) {
      throw new JudgeFault(
        `the validator asked for more than ${problem.limits.validationPasses} passes`,
      );
    }
    passInput = next;
  }
}

async function batchPass(
  { start, limits }: TestRig,
  test: TestCase,
  files: readonly ProgramFile[],
  validation: TestValidation,
  input: Uint8Array,
): Promise<Pass> {
  const run = await start({ args: test.args, files, stdin: input });
  try {
    const [output, stderr, ending] = await Promise.all([
      keep(run.running.stdout, limits.outputBytes),
      keep(run.running.stderr, STDERR_BYTES),
      run.running.ended,
    ]);
    const text = new TextDecoder().decode(stderr);
    const failure = failureOf(ending, limits);
    if (failure !== undefined) {
      if (failure.verdict === 'JE') throw new JudgeFault(failure.reason);
      return { outcome: failure, ending, validation: undefined, output, stderr: text };
    }
    const judged = await validation.check(input, output);
    return { outcome: outcomeOf(judged), ending, validation: judged, output, stderr: text };
  } finally {
    await run.leave();
  }
}

async function interactivePass(
  { start, limits }: TestRig,
  test: TestCase,
  files: readonly ProgramFile[],
  validation: TestValidation,
  input: Uint8Array,
): Promise<Pass> {
  const validator = await validation.interact(input);
  const run = await start({ args: test.args, files, stdin: 'pipe' }).catch(async (error) => {
    await validator.kill();
    throw error;
  });
  try {
    const talk = await interact(run.running, validator);
    const seen = { ending: talk.submission, output: NOTHING, stderr: talk.submissionStderr };
    const failure = failureOf(talk.submission, limits);
    if (talk.first === 'submission' && failure !== undefined) {
      // When the submission died first, the validator's message or crash is not a judgement.
      if (failure.verdict === 'JE') throw new JudgeFault(failure.reason);
      return { ...seen, outcome: failure, validation: undefined };
    }
    const judged = await validation.conclude(talk.validator, talk.validatorStderr);
    if (judged.accepted && failure !== undefined) {
      if (failure.verdict === 'JE') throw new JudgeFault(failure.reason);
      return { ...seen, outcome: failure, validation: undefined };
    }
    return { ...seen, outcome: outcomeOf(judged), validation: judged };
  } finally {
    await run.leave();
  }
}

export function outcomeOf({ accepted }: Validation, by = 'the validator'): Outcome {
  return accepted
    ? { verdict: 'AC', reason: `accepted by ${by}` }
    : { verdict: 'WA', reason: `rejected by ${by}` };
}

/** The fields that a validator adds to the result of a test. */
export function messagesOf({ score, judgeMessage, teamMessage }: Validation) {
  return { validatorScore: score, judgeMessage, teamMessage };
}

/** The beginning of a stream; the rest is read and dropped, so that the writer never waits. */
async function keep(stream: Readable, maxBytes: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (bytes < maxBytes) chunks.push(chunk.subarray(0, maxBytes - bytes));
    bytes += chunk.byteLength;
  }
  return new Uint8Array(Buffer.concat(chunks));
}

export async function readPackageFile(problem: Problem, path: string): Promise<Uint8Array> {
  return new Uint8Array(await readFile(join(problem.folder, path)));
}

function usageOf({ usage }: Ending): CaseUsage {
  return { cpuMs: usage.cpuMs, wallMs: usage.wallMs, memoryBytes: usage.peakMemoryBytes };
}

export function largestUsage(usages: readonly CaseUsage[]): CaseUsage {
  const largest = (key: keyof CaseUsage): number =>
    Math.max(0, ...usages.map((usage) => usage[key]));
  return {
    cpuMs: largest('cpuMs'),
    wallMs: largest('wallMs'),
    memoryBytes: largest('memoryBytes'),
  };
}

function result(
  test: TestCase,
  { outcome, validation, output, stderr }: Pass,
  usages: readonly CaseUsage[],
  data: { input: Uint8Array; answer: Uint8Array },
): TestResult {
  const failed = outcome.verdict !== 'AC';
  const feedback: FullFeedback = {
    input: shorten(data.input),
    output: shorten(output),
    error: stderr.slice(0, FEEDBACK_CHARACTERS),
    answer: shorten(data.answer),
  };
  return {
    kind: 'test',
    name: test.name,
    ...outcome,
    usage: largestUsage(usages),
    passes: usages.length,
    ...(validation && messagesOf(validation)),
    feedback: failed && test.fullFeedback ? feedback : undefined,
    hint: failed ? test.hint : undefined,
  };
}

function shorten(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes.subarray(0, FEEDBACK_CHARACTERS));
  return bytes.byteLength > FEEDBACK_CHARACTERS ? `${text}…` : text;
}

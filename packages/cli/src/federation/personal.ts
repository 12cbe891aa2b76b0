/** The model of its own that `skein join --personal` trains: options, the file, and how good it is on other rows. */
import { open, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { SkeinError } from '@skein/api/errors';
import { unwritable } from '@skein/api/file-errors';
import type { Plan } from '@skein/federation';
import {
  openPersonalModel,
  type PersonalModel,
  type PersonalRound,
  personalSteps,
  type PersonalTerms,
  type SiteMemory,
  type SiteRows,
} from '@skein/federation/site';
import { fileStore } from '@skein/train/files';
import { nativeBackend } from '@skein/train/native';
import { type Context, optionName } from '../command-line/command.ts';
import { choice, decimal, integer, text } from '../command-line/option.ts';
import { usageError } from '../command-line/usage.ts';
import type { Style } from '../output/style.ts';
import { metricsText, openSiteQuality } from './own-quality.ts';
import type { Metrics } from './simulated-quality.ts';

export const personalOptions = {
  personal: text(
    'FILE',
    'Train a model of this site’s own too, into this ONNX file. It holds information of the rows without noise, and stays here.',
  ),
  personalPull: decimal(
    'LAMBDA',
    'Strength with which the global model pulls the site’s own (Ditto); 0: not at all.  Default: 0.1, and 0 with --personal-from global.',
    [0, 1e6],
  ),
  personalFrom: choice(
    ['own', 'global'],
    'Start of a round. own: the site’s own model (Ditto); global: the global model (local fine-tuning). Default: own.',
  ),
  personalRate: decimal(
    'R',
    'Learning rate of the site’s own model. Default: the plan’s, or 0.1.',
    [1e-9, 1e3],
  ),
  personalSteps: integer(
    'N',
    'Steps of the site’s own model in a round. Default: the plan’s, or one pass over the rows where the plan protects patients.',
    [1, 1e6],
  ),
  personalBatch: integer(
    'N',
    'Rows of a step of the site’s own model. Default: the plan’s, or 10.',
    [1, 1e6],
  ),
  personalTest: text(
    'FILE',
    'Rows to test the site’s own and the global model on after each round.',
  ),
};

type Given = {
  readonly [K in keyof typeof personalOptions]: ReturnType<(typeof personalOptions)[K]['parse']>;
};

export interface PersonalChoice {
  /** The path as given. */
  readonly file: string;
  readonly path: string;
  readonly terms: PersonalTerms;
  /** File with rows that it is tried on. */
  readonly test?: string | undefined;
}

/**
 * Checks what needs no plan, and that the file can be written.
 * @param inputs files that are read.
 * @throws SkeinError USAGE, FILE_UNREADABLE.
 */
export async function personalChoice(
  { cwd }: Context,
  given: Given,
  data: string | undefined,
): Promise<PersonalChoice | undefined> {
  const { personal: file, personalFrom: from = 'own', personalTest: test } = given;
  if (file === undefined) {
    const names = Object.keys(personalOptions) as (keyof Given)[];
    const alone = names.find((name) => given[name] !== undefined);
    if (alone === undefined) return undefined;
    throw usageError(`--${optionName(alone)}: name the file of the model too: --personal FILE.`);
  }
  if (!/\.onnx$/i.test(file)) throw usageError(`--personal: "${file}" does not end with .onnx.`);
  if (test !== undefined && data !== undefined && resolve(cwd, test) === resolve(cwd, data)) {
    throw usageError('--personal-test: give other rows than those that the site trains on.');
  }
  const path = resolve(cwd, file);
  await requireWritable(path).catch((error: unknown) => {
    throw unwritable(file, error);
  });
  const { personalPull: pull = from === 'own' ? 0.1 : 0 } = given;
  const { personalRate: learningRate, personalSteps: steps, personalBatch: batch } = given;
  return { file, path, terms: { pull, from, learningRate, steps, batch }, test };
}

/** Writes what the site's user alone may read. */
async function requireWritable(path: string): Promise<void> {
  // The call also removes the drafts of a process that was killed while it wrote.
  await fileStore(path).load();
  const probe = `${path}.${process.pid}.draft`;
  const file = await open(probe, 'w', PRIVATE);
  await file.close();
  await rm(probe);
}
const PRIVATE = 0o600;

/** Report of it, with or without an acceptance. */
export interface PersonalReport extends Required<Omit<PersonalTerms, 'from'>> {
  readonly file: string;
  readonly from: PersonalTerms['from'];
  /** Round of the global model that it was last trained with; absent: it was not trained. */
  readonly round?: number;
  /** Rounds that it was not trained in, of this process. */
  readonly leftOut?: number;
  /** Why the file could not be written; the model is kept in the data folder. */
  readonly problem?: string;
  readonly test?: PersonalTest;
}

export interface PersonalTest {
  readonly file: string;
  readonly rows: number;
  /** Share of the most frequent class; absent for a regression. */
  readonly majority?: number;
  /** Rounds of this process. */
  readonly rounds: readonly {
    readonly round: number;
    readonly own: Metrics;
    readonly global: Metrics;
  }[];
}

/** @throws SkeinError USAGE where the pull is too strong for the rate, SITE_DATA_UNFIT of the rows to try it on. */
export async function preparePersonal(
  { file, terms, test }: PersonalChoice,
  plan: Plan,
  count: number,
  rowsOf: (file: string) => Promise<SiteRows>,
): Promise<{ readonly report: PersonalReport; readonly tested: SiteRows | undefined }> {
  const steps = personalSteps(plan, count, terms);
  if (terms.pull * steps.learningRate > 1) {
    throw usageError(
      `--personal-pull ${terms.pull} leaps beyond the global model at a rate of ${steps.learningRate}: give at most ${1 / steps.learningRate}, or a smaller --personal-rate.`,
    );
  }
  const report = { file, pull: terms.pull, from: terms.from, ...steps };
  if (test === undefined) return { report, tested: undefined };
  const tested = await rowsOf(test).catch((error: unknown) => {
    if (!(error instanceof SkeinError) || error.code !== 'SITE_DATA_UNFIT') throw error;
    throw new SkeinError(error.code, `--personal-test ${test}: ${error.message}`, { cause: error });
  });
  return { report, tested };
}

export interface RunningPersonal extends Pick<PersonalModel, 'onBroadcast' | 'first' | 'close'> {
  /** Trains what waits, unless the site leaves. @param isOver the federation has ended. */
  end(isOver: boolean): Promise<PersonalReport>;
}

export async function openPersonal(
  { notes, signal }: Context,
  { path, file, terms, test }: PersonalChoice,
  options: {
    readonly run: string;
    readonly plan: Plan;
    readonly model: Uint8Array<ArrayBuffer>;
    readonly rows: SiteRows;
    readonly memory: SiteMemory;
    readonly report: PersonalReport;
    readonly tested: SiteRows | undefined;
  },
): Promise<RunningPersonal> {
  const { report, tested, model } = options;
  const quality = tested && (await openSiteQuality(model, tested));
  const store = fileStore(path, PRIVATE);
  const rounds: PersonalTest['rounds'][number][] = [];
  let [round, leftOut]: [number | undefined, number] = [undefined, 0];
  let isWritten = false;

  async function tried({ round: at, own, global }: PersonalRound): Promise<void> {
    if (quality === undefined || global === undefined) return;
    const found = {
      round: at,
      own: await quality.report(own),
      global: await quality.report(global),
    };
    rounds.push(found);
    const [name] = Object.keys(found.own).filter((each) => each !== 'validationLoss');
    const of = (metrics: Metrics): string => metrics[name!]?.toFixed(3) ?? '–';
    notes.step(
      `Round ${at + 1}, on ${test}: ${name} ${of(found.own)} by the own model, ${of(found.global)} by the global one.`,
    );
  }

  const personal = await openPersonalModel({
    ...options,
    backend: nativeBackend,
    terms,
    async onTrained(trained) {
      round = trained.round;
      isWritten = false;
      await store.save(personal.fileOf(trained.own));
      isWritten = true;
      await tried(trained);
    },
    onProblem(problem, at) {
      const reason = problem instanceof Error ? problem.message : String(problem);
      if (round !== at) leftOut += 1;
      notes.step(`The own model in round ${at + 1}: ${reason}`);
    },
  });

  async function end(isOver: boolean): Promise<PersonalReport> {
    const stop = (): void => void personal.close();
    signal.addEventListener('abort', stop);
    let problem: { readonly problem?: string } = {};
    try {
      if (!signal.aborted) {
        notes.progress('Training the own model …');
        await personal.finish(isOver).catch((error: unknown) => {
          problem = { problem: isWritten ? String(error) : unwritable(file, error).message };
        });
      }
    } finally {
      signal.removeEventListener('abort', stop);
      notes.clear();
      await personal.close();
      await quality?.close();
    }
    const majority = quality?.majority;
    return {
      ...report,
      ...(round === undefined ? {} : { round }),
      leftOut,
      ...problem,
      ...(tested === undefined
        ? {}
        : {
            test: {
              file: test!,
              rows: tested.count,
              ...(majority === undefined ? {} : { majority }),
              rounds,
            },
          }),
    };
  }
  return { onBroadcast: personal.onBroadcast, first: personal.first, close: personal.close, end };
}

const CAUTION =
  'It holds information of the rows of this site, without noise: no budget of the federation protects it, so do not share it.';

/** Lines on the model that will be trained along with the federation. */
export function personalOffer(report: PersonalReport, style: Style): string[] {
  const { file, pull, from, learningRate, steps, batch } = report;
  const how =
    from === 'own'
      ? `pulled to the global one by λ = ${pull}`
      : `in each round anew from the global one${pull === 0 ? '' : `, pulled to it by λ = ${pull}`}`;
  return [
    `A model of this site’s own is trained into ${file}, ${how}: ${steps} steps of ${batch} rows a round, at a rate of ${learningRate}. Nothing of it is sent.`,
    style.yellow(CAUTION),
  ];
}

export function personalText(report: PersonalReport, style: Style): string[] {
  const { file, round, leftOut = 0, problem, test } = report;
  if (round === undefined)
    return [style.yellow(`${file}: no model of this site’s own was trained.`)];
  if (problem !== undefined) {
    return [
      style.red(`${problem} The model is kept in the data folder: the same command writes it.`),
    ];
  }
  const without = leftOut === 0 ? '' : `; ${leftOut} rounds were left out`;
  const last = test?.rounds.at(-1);
  const frequent =
    test?.majority === undefined
      ? ''
      : `; the most frequent class has ${test.majority.toFixed(3)} of them`;
  return [
    `${style.green('✓')} ${file} is this site’s own model, trained last with the global model of round ${round}${without}.`,
    ...(last === undefined
      ? []
      : [
          `On ${test!.rows} rows of ${test!.file} it has ${metricsText(last.own)}, and the global one ${metricsText(last.global)}${frequent}.`,
        ]),
    style.yellow(CAUTION),
  ];
}

/**
 * A model of its own for a site of a live federation, trained next to the global one from the model of each round
 * (`openPersonalTraining` of `@skein/train/federated`: Ditto, or local fine-tuning). Nothing of it leaves the site.
 *
 *     round is sent here ──▶ kept ──▶ waits while the site works for the federation ──▶ trained ──▶ reported ──▶ kept
 *
 * Work for the federation goes first: between two steps of its own the site waits until no task is computed, so that
 * an answer is late by one step at most. The global model of a round is kept before the round's answer, and each round is
 * trained once, in order: a site that is killed resumes with the model that it would have had. Rounds may pile up, see
 * `KeptRounds`; rounds that are left when the federation ends are trained then.
 *
 * The model holds the rows of the site without noise: no budget of the federation covers it.
 */
import { readModel, writeModel } from '@skein/onnx';
import { MASK, problemOf, servedModel, withTrained, type Backend } from '@skein/train';
import { openPersonalTraining, tensorsOf } from '@skein/train/federated';
import type { Plan } from '../../plan/plan.ts';
import type { Work } from '../answers.ts';
import type { SiteMemory } from '../memory/site-memory.ts';
import type { SiteRows } from '../site-rows.ts';
import { keptRounds, type RoundVector } from './kept-rounds.ts';

export interface PersonalTerms {
  /** λ: how strongly the global model pulls; 0: not at all. */
  readonly pull: number;
  /** Where a round begins: at the site's own model (Ditto), or at the global one (local fine-tuning). */
  readonly from: 'own' | 'global';
  /** The rest: default as in the plan, and where the plan has none, see `personalSteps`. */
  readonly learningRate?: number | undefined;
  readonly steps?: number | undefined;
  readonly batch?: number | undefined;
}

export interface PersonalSteps {
  readonly learningRate: number;
  /** Steps of a round. */
  readonly steps: number;
  /** Rows of a step. */
  readonly batch: number;
}

/** After a round. */
export interface PersonalRound {
  /** From 0. */
  readonly round: number;
  /** The site's model, float32, [parameters]. */
  readonly own: Float32Array;
  /** The global one from which the round was trained; undefined for a model that is back after a restart. */
  readonly global?: Float32Array;
}

export interface PersonalOptions {
  readonly run: string;
  readonly plan: Plan;
  /** The ONNX file of the plan. */
  readonly model: Uint8Array;
  readonly rows: SiteRows;
  readonly backend: Backend;
  readonly memory: Pick<SiteMemory, 'carriedOf' | 'carry'>;
  readonly terms: PersonalTerms;
  /** Called with each model before it counts as trained; a model that it rejects is a problem, and is reported again at the end. */
  readonly onTrained: (trained: PersonalRound) => Promise<void> | void;
  /** Called when a round is left out, or a model not stored; the federation continues. */
  readonly onProblem: (problem: unknown, round: number) => void;
}

export interface PersonalModel {
  /** For `openWork`; resolves when the round is kept. */
  readonly onBroadcast: (round: number, broadcast: Float32Array) => Promise<void>;
  /** The same work, for which the site's own training waits. */
  readonly first: (work: Work) => Work;
  /** ONNX of a vector [parameters], as the node would serve it. */
  fileOf(own: Float32Array): Uint8Array<ArrayBuffer>;
  /**
   * Trains the waiting rounds. @param isOver erases all rounds, once the last model was reported.
   * @throws what `onTrained` does.
   */
  finish(isOver: boolean): Promise<void>;
  /** Stops before the next step, also what `finish` trains; what is kept stays. */
  readonly close: () => Promise<void>;
}

/** Where a plan names no steps of a site, because noise counts each: one pass, as `skein federate simulate` has. */
const PASS = { learningRate: 0.1, batch: 10 };

/** @param count rows of the site. */
export function personalSteps(
  { local }: Pick<Plan, 'local'>,
  count: number,
  terms: Omit<PersonalTerms, 'pull' | 'from'>,
): PersonalSteps {
  const planned =
    local.learningRate === undefined
      ? PASS
      : { learningRate: local.learningRate, batch: local.batch ?? count, steps: local.steps };
  const batch = Math.min(terms.batch ?? planned.batch, count);
  const pass = { steps: Math.ceil(count / batch), ...planned };
  return {
    learningRate: terms.learningRate ?? pass.learningRate,
    steps: terms.steps ?? pass.steps,
    batch,
  };
}

class Stopped extends Error {}

/** Longest time in which nothing else runs in a process or worker, in milliseconds. */
const MOST_BUSY_MS = 10;

export async function openPersonalModel(options: PersonalOptions): Promise<PersonalModel> {
  const { run, plan, rows, backend, memory, terms, onTrained, onProblem } = options;
  const { batch, ...steps } = personalSteps(plan, rows.count, terms);
  const model = readModel(options.model);
  const { graded } = problemOf(model, { batch });
  const training = await openPersonalTraining(graded, terms.pull, {
    backend,
    rows: rows.rows,
    batch,
    mask: MASK,
    ...steps,
    seed: 0,
    beforeStep,
  });
  const { length } = training.layout;
  const kept = keptRounds(memory, run);

  let tasks = 0;
  let idle = Promise.withResolvers<void>();
  idle.resolve();
  let isStopped = false;
  let breathed = performance.now();

  async function beforeStep(): Promise<void> {
    if (performance.now() - breathed > MOST_BUSY_MS) {
      // Steps in WebAssembly end without leaving the queue of microtasks: messages would wait for the whole round.
      await new Promise((resolve) => setTimeout(resolve));
      breathed = performance.now();
    }
    while (tasks > 0 && !isStopped) await idle.promise;
    if (isStopped) throw new Stopped();
  }

  let own = await kept.own();
  let waiting = await kept.waiting(own?.round ?? -1);
  /** The newest model that was not reported. */
  let unreported: PersonalRound | undefined = own && { round: own.round, own: own.vector };
  let running: Promise<void> | undefined;

  async function report(trained: PersonalRound): Promise<void> {
    unreported = trained;
    await onTrained(trained);
    unreported = undefined;
  }

  async function train(round: number): Promise<void> {
    const global = await kept.globalOf(round);
    if (global === undefined)
      throw new Error('Rounds are faster than the training of the own model.');
    const before = terms.from === 'global' ? global : (own?.vector ?? global);
    const vector = await training.train(before, global, round);
    // The loss is that before a step: the last one is not seen in it.
    if (!vector.every(Number.isFinite))
      throw new Error(`The model of round ${round} is not finite.`);
    await beforeStep();
    // Before it is kept: a round whose model was not reported is trained again after a restart.
    await report({ round, own: vector, global }).catch((error: unknown) => onProblem(error, round));
    const after: RoundVector = { round, vector };
    own = after;
    await kept.keepOwn(after);
  }

  async function trainAll(): Promise<void> {
    if (unreported !== undefined) await report(unreported).catch(() => {});
    for (let round = waiting[0]; round !== undefined && !isStopped; round = waiting[0]) {
      try {
        await train(round);
      } catch (error) {
        if (error instanceof Stopped) return;
        onProblem(error, round);
      }
      waiting = waiting.filter((each) => each > round);
    }
  }

  function start(): void {
    running ??= trainAll().finally(() => {
      running = undefined;
      if (waiting.length > 0 && !isStopped) start();
    });
  }

  async function close(): Promise<void> {
    isStopped = true;
    idle.resolve();
    while (running !== undefined) await running;
    await training.close();
  }
  let closed: Promise<void> | undefined;

  start();
  return {
    async onBroadcast(round, broadcast) {
      // The same round again has the same parameters: an attempt was aborted, or its answer lost.
      if (round <= (own?.round ?? -1) || waiting.includes(round)) return;
      try {
        // A strategy may send further vectors after the parameters.
        await kept.keepGlobal({ round, vector: broadcast.slice(0, length) });
        waiting = [...waiting, round].toSorted((a, b) => a - b);
        start();
      } catch (error) {
        onProblem(error, round);
      }
    },
    first: (work) => async (task) => {
      if (tasks++ === 0) idle = Promise.withResolvers();
      try {
        return await work(task);
      } finally {
        if (--tasks === 0) idle.resolve();
      }
    },
    fileOf(vector) {
      const trained = withTrained(model, tensorsOf(training.layout, vector));
      return new Uint8Array(writeModel(servedModel(trained)));
    },
    async finish(isOver) {
      while (running !== undefined) await running;
      if (isStopped) return;
      if (unreported !== undefined) await report(unreported);
      if (isOver) await kept.erase();
    },
    close: () => (closed ??= close()),
  };
}

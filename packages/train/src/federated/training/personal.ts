/**
 * A model of its own for a site, along with the global one, which pulls it with a strength λ; 0 trains on the site's rows
 * alone. Nothing of it leaves a site.
 *
 * Li et al., "Ditto: Fair and Robust Federated Learning Through Personalization" (ICML 2021), Algorithm 1.
 */
import type { LossModel } from '@skein/onnx';
import { personalRule } from '../strategies/site-rules.ts';
import type { Layout } from './layout.ts';
import { federatedModel, openLocalTraining, type LocalTrainingOptions } from './local-training.ts';

type Graded = Pick<LossModel, 'model' | 'loss'>;

export interface PersonalTraining {
  readonly layout: Layout;
  /**
   * Trains for a round.
   * @param own the site's model before it, [length]; the global one where there is none, or to fine-tune that.
   * @param global parameters of the round, [length].
   * @param batches rows of each step; default: a seeded order per round.
   * @returns the site's model after it, [length].
   * @throws Diverged when a loss is not a number.
   */
  train(
    own: Float32Array,
    global: Float32Array,
    round: number,
    batches?: Iterable<ArrayLike<number>>,
  ): Promise<Float32Array>;
  close(): Promise<void>;
}

export async function openPersonalTraining(
  graded: Graded,
  lambda: number,
  options: LocalTrainingOptions,
): Promise<PersonalTraining> {
  const rule = personalRule(lambda);
  const training = await openLocalTraining(federatedModel(graded, rule), rule, options);
  return {
    layout: training.layout,
    async train(own, global, round, batches) {
      const both = new Float32Array(2 * global.length);
      both.set(own);
      both.set(global, global.length);
      const { update } = await training.localUpdate(both, { number: round }, batches);
      return update.map((each, i) => own[i]! + each);
    },
    close: () => training.close(),
  };
}

/** The models of the sites of a simulation. */
export interface PersonalModels {
  /** Trains the model of a site for a round. @param global parameters of the round, [length]. */
  train(
    site: number,
    global: Float32Array,
    round: number,
    batches: Iterable<ArrayLike<number>>,
  ): Promise<void>;
  /** The model of a site, [length]; undefined before its first round. */
  of(site: number): Float32Array | undefined;
  close(): Promise<void>;
}

/** @param from where a round begins: at the site's own model (Ditto), or at the global one (local fine-tuning). */
export async function openPersonal(
  graded: Graded,
  lambda: number,
  options: LocalTrainingOptions,
  from: 'own' | 'global' = 'own',
): Promise<PersonalModels> {
  const training = await openPersonalTraining(graded, lambda, options);
  const models = new Map<number, Float32Array>();
  return {
    async train(site, global, round, batches) {
      const own = from === 'global' ? global : (models.get(site) ?? global);
      models.set(site, await training.train(own, global, round, batches));
    },
    of: (site) => models.get(site),
    close: () => training.close(),
  };
}

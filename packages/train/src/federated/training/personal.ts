/**
 * A model of its own for each site of a simulation, beside the global one, which pulls it with a strength λ; 0
 * trains on the site's rows alone from the global model on. Nothing of it leaves a site.
 *
 * Li et al., "Ditto: Fair and Robust Federated Learning Through Personalization" (ICML 2021), Algorithm 1.
 */
import type { LossModel } from '@skein/onnx';
import { personalRule } from '../strategies/site-rules.ts';
import { federatedModel, openLocalTraining, type LocalTrainingOptions } from './local-training.ts';

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

export async function openPersonal(
  graded: Pick<LossModel, 'model' | 'loss'>,
  lambda: number,
  options: LocalTrainingOptions,
): Promise<PersonalModels> {
  const rule = personalRule(lambda);
  const training = await openLocalTraining(federatedModel(graded, rule), rule, options);
  const models = new Map<number, Float32Array>();
  return {
    async train(site, global, round, batches) {
      const own = models.get(site) ?? global;
      const both = new Float32Array(2 * global.length);
      both.set(own);
      both.set(global, global.length);
      const { update } = await training.localUpdate(both, { number: round }, batches);
      models.set(
        site,
        update.map((each, i) => own[i]! + each),
      );
    },
    of: (site) => models.get(site),
    close: () => training.close(),
  };
}

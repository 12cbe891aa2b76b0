/** A plan without protections of a model that two columns feed, with the model. */
import { mlp, writeModel } from '@skein/onnx';
import { assemblePublic } from '@skein/train';
import { sha256 } from '@skein/api/canonical';
import type { Plan, PlanDraft } from '../../plan/plan.ts';
import { openPlan } from '../../testing/plans.ts';

export async function trainedPlan(more: Partial<PlanDraft> = {}): Promise<{
  readonly plan: Plan;
  readonly model: Uint8Array<ArrayBuffer>;
  /** Numbers that are trained. */
  readonly length: number;
}> {
  const given = openPlan(more);
  const network = assemblePublic(
    given.data,
    ({ inputs, outputs, seed }) => mlp({ sizes: [inputs, outputs], seed }),
    1,
  );
  const model = new Uint8Array(writeModel(network));
  const length = 4;
  const plan = { ...given, model: { digest: await sha256(model), parameters: length } };
  return { plan, model, length };
}

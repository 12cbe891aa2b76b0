/** The answer as its client asked for it: as classes, and in shared memory. */
import type { InferenceAnswer } from '@skein/serving';
import { classified, type Classes } from './classification.ts';
import type { InferenceOptions } from './face.ts';
import { writeShared, type SharedOutputs } from './shared-tensors.ts';

/** Not an async function: most requests ask for neither. */
export function shownTo(
  tenant: string,
  model: string,
  answer: InferenceAnswer,
  classes: Classes | undefined,
  shared: SharedOutputs | undefined,
  options: Pick<InferenceOptions, 'inference' | 'regions'>,
): InferenceAnswer | Promise<InferenceAnswer> {
  if (classes === undefined && shared === undefined) return answer;
  return show(tenant, model, answer, classes, shared, options);
}

async function show(
  tenant: string,
  model: string,
  answer: InferenceAnswer,
  classes: Classes | undefined,
  shared: SharedOutputs | undefined,
  { inference, regions }: Pick<InferenceOptions, 'inference' | 'regions'>,
): Promise<InferenceAnswer> {
  const described = classes && inference.describe(model, answer.version);
  const outputs =
    described === undefined
      ? answer.outputs
      : await classified(answer.outputs, classes!, described);
  if (shared !== undefined) await writeShared(outputs, shared, regions, tenant);
  return { ...answer, outputs };
}

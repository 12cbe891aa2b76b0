/** The answer as its client asked for it: as classes, and in shared memory. */
import type { DeployedModel, InferenceAnswer } from '@skein/serving';
import { classified, type Classes } from './classification.ts';
import type { InferenceOptions } from './face.ts';
import { writeShared, type SharedOutputs } from './shared-memory/shared-tensors.ts';

/** What the client asked for. */
export interface Shown {
  readonly classes: Classes | undefined;
  readonly shared: SharedOutputs | undefined;
}

/**
 * Made when the request arrives: a version that answers it may be retired by then.
 * @returns undefined if the answer is shown as it is, as for most requests.
 */
export function showFor(
  tenant: string,
  { name, versions }: DeployedModel,
  { classes, shared }: Shown,
  { inference, regions }: Pick<InferenceOptions, 'inference' | 'regions'>,
): ((answer: InferenceAnswer) => Promise<InferenceAnswer>) | undefined {
  if (classes === undefined && shared === undefined) return undefined;
  const described = new Map<string, DeployedModel>();
  if (classes !== undefined) {
    for (const version of versions) described.set(version, inference.describe(name, version));
  }
  return async (answer) => {
    let { outputs } = answer;
    if (classes !== undefined) {
      const { version } = answer;
      const model = described.get(version) ?? inference.describe(name, version);
      outputs = await classified(outputs, classes, model);
    }
    if (shared !== undefined) await writeShared(outputs, shared, regions, tenant);
    return { ...answer, outputs };
  };
}

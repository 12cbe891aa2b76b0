/** The answer as its client asked for it: with classes, as classes, and in shared memory. */
import type { DeployedModel, InferenceAnswer } from '@skein/serving';
import { classified, classNameOf, withClassNames, type Classes } from './classification.ts';
import { writeShared, type SharedOutputs } from './shared-memory/shared-tensors.ts';
import type { InferenceOptions } from './options.ts';

/** The outputs that the client asked for. */
export interface Shown {
  readonly classes: Classes | undefined;
  /** Whether outputs that score classes have their names next to them. */
  readonly classNames: boolean;
  readonly shared: SharedOutputs | undefined;
}

/**
 * Made when the request arrives: a version that answers it may be retired by then.
 * @returns undefined if the answer is shown as it is, as for most requests.
 */
export function showFor(
  tenant: string,
  { name, versions }: DeployedModel,
  { classes, classNames, shared }: Shown,
  { inference, regions }: Pick<InferenceOptions, 'inference' | 'regions'>,
): ((answer: InferenceAnswer) => Promise<InferenceAnswer>) | undefined {
  const needsModel = classes !== undefined || classNames;
  if (!needsModel && shared === undefined) return undefined;
  const described = new Map<string, DeployedModel>();
  if (needsModel) {
    for (const version of versions) described.set(version, inference.describe(name, version));
  }
  return async (answer) => {
    let { outputs } = answer;
    if (needsModel) {
      const { version } = answer;
      const model = described.get(version) ?? inference.describe(name, version);
      if (classNames) outputs = await withClassNames(outputs, model);
      if (classes !== undefined) outputs = await classified(outputs, classes, model);
    }
    if (shared !== undefined) await writeShared(outputs, shared, regions, tenant);
    return { ...answer, outputs };
  };
}

/** The names that an answer is encoded with: the requested outputs, and their companions. */
export function namesShown(
  asked: readonly string[] | undefined,
  { classNames }: Pick<Shown, 'classNames'>,
  { outputs }: Pick<InferenceAnswer, 'outputs'>,
): readonly string[] | undefined {
  if (asked === undefined || !classNames) return asked;
  const shown = asked.flatMap((name) => [name, classNameOf(name)]);
  return [...new Set(shown.filter((name) => outputs.has(name) || asked.includes(name)))];
}

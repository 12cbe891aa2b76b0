/** Every target by name; a target is opened in the process that runs it. */
import type { Target } from './engine/target.ts';

export type TargetName = keyof typeof TARGETS;

export const TARGETS = {
  onnx: async () => (await import('./targets/onnx.ts')).openOnnx(),
} satisfies Record<string, () => Promise<Target>>;

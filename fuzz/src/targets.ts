/** Every target by name; a target is opened in the process that runs it. */
import type { Target } from './engine/target.ts';

export type TargetName = keyof typeof TARGETS;

export const TARGETS = {
  onnx: async () => (await import('./targets/onnx.ts')).openOnnx(),
  'json-request': async () => (await import('./targets/infer-requests.ts')).openJsonRequests(),
  'binary-request': async () => (await import('./targets/infer-requests.ts')).openBinaryRequests(),
  'grpc-request': async () => (await import('./targets/infer-requests.ts')).openGrpcRequests(),
  keys: async () => (await import('./targets/texts.ts')).openKeys(),
  addresses: async () => (await import('./targets/texts.ts')).openAddresses(),
  schedules: async () => (await import('./targets/texts.ts')).openSchedules(),
  headers: async () => (await import('./targets/texts.ts')).openHeaders(),
  'guest-output': async () => (await import('./targets/texts.ts')).openGuestOutput(),
  'judge-output': async () => (await import('./targets/texts.ts')).openJudgeOutputs(),
  'command-line': async () => (await import('./targets/command-lines.ts')).openCommandLines(),
  arrays: async () => (await import('./targets/files.ts')).openArrays(),
  'npy-input': async () => (await import('./targets/files.ts')).openNpyInputs(),
  tables: async () => (await import('./targets/files.ts')).openTables(),
  parquet: async () => (await import('./targets/files.ts')).openParquet(),
  checkpoints: async () => (await import('./targets/files.ts')).openCheckpoints(),
} satisfies Record<string, () => Promise<Target>>;

/** Every target by name; a target is opened in the process that runs it. */
import type { Target } from './engine/target.ts';

type TargetName = keyof typeof TARGETS;

export const TARGETS = {
  onnx: async () => (await import('./targets/onnx.ts')).openOnnx(),
  'onnx-large': async () => (await import('./targets/onnx.ts')).openLargeOnnx(),
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
  'training-step': async () => (await import('./targets/training-steps.ts')).openTrainingSteps(),
  archives: async () => (await import('./targets/archives.ts')).openArchives(),
  'problem-yaml': async () => (await import('./targets/archives.ts')).openProblemMetadata(),
  'problem-folder': async () => (await import('./targets/problem-folders.ts')).openProblemFolders(),
  'problem-statement': async () =>
    (await import('./targets/problem-folders.ts')).openProblemStatements(),
  'problem-zip': async () => (await import('./targets/archives.ts')).openZippedProblems(),
  management: async () => (await import('./targets/bodies.ts')).openManagementBodies(),
  'run-record': async () => (await import('./targets/bodies.ts')).openRunRecords(),
  answers: async () => (await import('./targets/bodies.ts')).openAnswers(),
  'ring-frames': async () => (await import('./targets/bodies.ts')).openRingFrames(),
  'secure-sums': async () => (await import('./targets/secure-sums.ts')).openSecureSums(),
  'answer-streams': async () => (await import('./targets/language.ts')).openAnswerStreams(),
  'language-request': async () => (await import('./targets/language.ts')).openLanguageRequests(),
  redaction: async () => (await import('./targets/language.ts')).openRedactions(),
  gguf: async () => (await import('./targets/local-models.ts')).openGguf(),
  tokenizers: async () => (await import('./targets/local-models.ts')).openTokenizers(),
  'chat-templates': async () => (await import('./targets/local-models.ts')).openChatTemplates(),
  'answer-schemas': async () => (await import('./targets/local-models.ts')).openAnswerSchemas(),
  'xgboost-json': async () => (await import('./targets/converted-models.ts')).openXgboostJson(),
  'xgboost-ubjson': async () => (await import('./targets/converted-models.ts')).openXgboostUbjson(),
  'lightgbm-text': async () => (await import('./targets/converted-models.ts')).openLightgbmText(),
  'estimator-headers': async () =>
    (await import('./targets/converted-models.ts')).openEstimatorHeaders(),
  'estimator-documents': async () =>
    (await import('./targets/converted-models.ts')).openEstimatorDocuments(),
  'federation-frames': async () =>
    (await import('./targets/federations.ts')).openFederationFrames(),
  'federation-messages': async () =>
    (await import('./targets/federations.ts')).openFederationMessages(),
  'federation-plans': async () => (await import('./targets/federations.ts')).openFederationPlans(),
  'federation-ledgers': async () =>
    (await import('./targets/federations.ts')).openFederationLedgers(),
  'fleet-frames': async () => (await import('./targets/fleet.ts')).openFleetFrames(),
  'edge-metadata': async () => (await import('./targets/edge.ts')).openEdgeMetadata(),
  'edge-manifests': async () => (await import('./targets/edge.ts')).openEdgeManifests(),
  'edge-deltas': async () => (await import('./targets/edge.ts')).openEdgeDeltas(),
  'http-heads': async () => (await import('./targets/http-heads.ts')).openHttpHeads(),
  http: async () => (await import('./targets/http.ts')).openHttp(),
  http2: async () => (await import('./targets/grpc.ts')).openHttp2(),
  grpc: async () => (await import('./targets/grpc.ts')).openGrpc(),
} satisfies Record<string, () => Promise<Target>>;

/** @param name of a target, or the address of a module that exports `open`, for tests of the engine. */
export async function openTarget(name: string): Promise<Target> {
  if (Object.hasOwn(TARGETS, name)) return TARGETS[name as TargetName]();
  const { open } = (await import(name)) as { readonly open: () => Target };
  return open();
}

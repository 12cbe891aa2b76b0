export { ERRORS, SkeinError, type ErrorBody, type ErrorCode } from './errors.ts';
export {
  BatchingPolicy,
  CachePolicy,
  DeploymentSettings,
  DeploymentSettingsPatch,
  DeploymentTraffic,
  DeploymentView,
  Name,
  Objective,
  ReplicaBounds,
  ReplicaState,
  ReplicaView,
  RolloutPlan,
  RolloutView,
  SignatureView,
  TensorSpecView,
  TrafficRange,
  TrafficTarget,
  VersionTargetView,
  type DeploymentSettingsInput,
} from './resources/deployment.ts';
export { NodeEvent } from './resources/event.ts';
export {
  FederationLedger,
  FederationPlan,
  FederationSite,
  FederationStatus,
  FederationView,
} from './resources/federation.ts';
export {
  FleetAlert,
  FleetScale,
  FleetView,
  MemberEvidence,
  MemberForwarding,
  MemberLoad,
  MemberMemory,
  MemberView,
  PlacementView,
  RolloutEvidence,
} from './resources/fleet.ts';
export {
  LanguageBudget,
  LanguageModel,
  LanguageProvider,
  LanguageRoute,
  LanguageSettings,
  MAX_REDACTIONS,
  Redaction,
  StoredResponsesDeclaration,
  StoredResponsesPolicy,
  TokenPrice,
  type LanguageModelInput,
  type LanguageSettingsInput,
} from './resources/language-settings.ts';
export { ArtifactView } from './resources/artifact.ts';
export { JobCause, JobState } from './resources/job-state.ts';
export {
  AttemptView,
  JobEvent,
  JobLogView,
  JobView,
  NewJob,
  ScheduleView,
  type NewJobInput,
} from './resources/job.ts';
export { QueueMode, QueueName, QueueView, TenantName, TenantView } from './resources/queue.ts';
export { SandboxView, WorkerView } from './resources/worker.ts';
export {
  BudgetUsageView,
  CreatedKeyView,
  KeyDetailsView,
  KeyView,
  NewKey,
} from './resources/key.ts';
export {
  LanguageModelCheck,
  LanguageUseView,
  LanguageView,
  SpentQuotaRecord,
} from './resources/language.ts';
export {
  LanguageRolloutPlan,
  LanguageRolloutRecord,
  LanguageRolloutView,
  LanguageRolloutWindow,
  RouteName,
  StartLanguageRollout,
} from './resources/language-rollout.ts';
export { ModelView, VersionView } from './resources/model.ts';
export { NodeView } from './resources/node.ts';
export { AuditView, HistoryKind, HistoryView } from './resources/record.ts';
export {
  Lineage,
  Run,
  RunEpoch,
  RunReport,
  RunStatus,
  RunSummary,
  summaryOf,
} from './resources/run.ts';
export { ENDPOINTS, type EndpointOf, type OperationId } from './endpoints.ts';
export {
  COMMON_ERRORS,
  errorsOf,
  fillPath,
  parametersOf,
  type Endpoint,
  type NodeEndpoint,
  type PartOf,
  type RequestOf,
  type ResponseOf,
  statusOf,
} from './endpoint.ts';
export { datatypeOf, elementTypeOf, type Datatype } from './datatype.ts';
export {
  createClient,
  texts,
  type CallOptions,
  type Client,
  type ClientOptions,
  type EventsOptions,
  type InferAnswer,
  type InferOptions,
  type InputOf,
  type InputTensor,
  type OutputOf,
  type OutputTensor,
  type RetryPolicy,
} from './client/client.ts';
export { createOpenApiDocument } from './documents/node-openapi.ts';
export {
  openApiOf,
  type OpenApiDocument,
  type OperationObject,
  type ServiceDescription,
} from './documents/openapi.ts';
export { refuseUnknown, validate } from './validation.ts';
export {
  ERROR_DOCS,
  createDocumentation,
  type Documentation,
  type ErrorDoc,
  type OperationDoc,
  type TypeDoc,
} from './documents/documentation.ts';
export type { Field } from './resources/fields.ts';
export { generateClient, type ClientSource } from './documents/generate-client.ts';

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
} from './deployment.ts';
export { NodeEvent } from './event.ts';
export { ArtifactView } from './artifact.ts';
export { JobCause, JobState } from './job-state.ts';
export {
  AttemptView,
  JobEvent,
  JobLogView,
  JobView,
  NewJob,
  ScheduleView,
  type NewJobInput,
} from './job.ts';
export { QueueMode, QueueView, TenantView } from './queue.ts';
export { SandboxView, WorkerView } from './worker.ts';
export { BudgetUsageView, CreatedKeyView, KeyDetailsView, KeyView, NewKey } from './key.ts';
export { ModelView, VersionView } from './model.ts';
export { NodeView } from './node.ts';
export { AuditView, HistoryKind, HistoryView } from './record.ts';
export { Lineage, Run, RunEpoch, RunReport, RunStatus, RunSummary, summaryOf } from './run.ts';
export { ENDPOINTS, type EndpointOf, type OperationId } from './endpoints.ts';
export {
  COMMON_ERRORS,
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
export { createOpenApiDocument } from './node-openapi.ts';
export {
  openApiOf,
  type OpenApiDocument,
  type OperationObject,
  type ServiceDescription,
} from './openapi.ts';
export { validate } from './validation.ts';
export {
  ERROR_DOCS,
  createDocumentation,
  type Documentation,
  type ErrorDoc,
  type OperationDoc,
  type TypeDoc,
} from './documentation.ts';
export type { Field } from './fields.ts';
export { generateClient, type ClientSource } from './generate-client.ts';

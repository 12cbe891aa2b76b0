export { ERRORS, SkeinError, type ErrorBody, type ErrorCode } from './errors.ts';
export {
  DataManifest,
  DataOrigin,
  DataVersion,
  DataVersionDetail,
  DataVersionName,
  type DataColumn,
  type DataFile,
  type DataUses,
} from './resources/data-set.ts';
export {
  DeploymentSettings,
  DeploymentSettingsPatch,
  DeploymentTraffic,
  DeploymentView,
  Name,
  ReplicaState,
  RolloutPlan,
  RolloutView,
  TrafficRange,
  TrafficTarget,
  type DeploymentSettingsInput,
} from './resources/deployment.ts';
export {
  DeviceLabels,
  DevicePermission,
  DeviceReport,
  DeviceRolloutView,
  DeviceView,
  SignedDeviceReport,
  StartDeviceRollout,
} from './resources/device.ts';
export { NodeEvent } from './resources/event.ts';
export {
  FederationLedger,
  FederationPlan,
  FederationSite,
  FederationStatus,
  FederationView,
} from './resources/federation.ts';
export { FederationStatistics } from './resources/federation-statistics.ts';
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
  StoredResponsesPolicy,
  TokenPrice,
  type LanguageSettingsInput,
} from './resources/language-settings.ts';
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
export { QueueName, QueueView, TenantName } from './resources/queue.ts';
export { SandboxView, WorkerView } from './resources/worker.ts';
export { BudgetUsageView, KeyView, NewKey } from './resources/key.ts';
export { LanguageUseView, LanguageView, SpentQuotaRecord } from './resources/language.ts';
export {
  LanguageRolloutPlan,
  LanguageRolloutRecord,
  LanguageRolloutView,
  LanguageRolloutWindow,
  RouteName,
} from './resources/language-rollout.ts';
export { ModelView, VersionView } from './resources/model.ts';
export { NodeView } from './resources/node.ts';
export { AuditView, HistoryView } from './resources/record.ts';
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
  type ResponseOf,
  statusOf,
} from './endpoint.ts';
export { datatypeOf, elementTypeOf } from './datatype.ts';
export { createClient, texts, type Client, type OutputOf } from './client/client.ts';
export { createOpenApiDocument } from './documents/node-openapi.ts';
export type { OpenApiDocument, OperationObject } from './documents/openapi.ts';
export { openApiOf, type ServiceDescription } from './documents/openapi.ts';
export { refuseUnknown, validate } from './validation.ts';
export { ERROR_DOCS, createDocumentation, type OperationDoc } from './documents/documentation.ts';
export type { Field } from './resources/fields.ts';
export { generateClient } from './documents/generate-client.ts';

export { ERRORS, SkeinError, type ErrorBody, type ErrorCode } from './errors.ts';
export {
  BatchingPolicy,
  CachePolicy,
  DeploymentSettings,
  DeploymentView,
  Name,
  Objective,
  ReplicaBounds,
  ReplicaState,
  ReplicaView,
  RolloutPlan,
  RolloutView,
  TensorSpecView,
  TrafficTarget,
  VersionTargetView,
  type DeploymentSettingsInput,
} from './deployment.ts';

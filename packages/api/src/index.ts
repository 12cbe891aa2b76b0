export { ERRORS, SkeinError, type ErrorBody, type ErrorCode } from './errors.ts';
export {
  BatchingPolicy,
  CachePolicy,
  DeploymentSettings,
  Name,
  Objective,
  ReplicaBounds,
  ReplicaState,
  RolloutPlan,
  TrafficTarget,
} from './deployment.ts';

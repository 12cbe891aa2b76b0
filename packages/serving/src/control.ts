/** The part of the serving plane that the management API uses. Every change is recorded with its reason and actor. */
import type {
  DeploymentSettingsPatch,
  DeploymentTraffic,
  DeploymentView,
  RolloutEvidence,
  RolloutPlan,
  TrafficRange,
} from '@skein/api';

export interface DeployRequest {
  /** Deployment and model name. */
  readonly name: string;
  readonly version: string;
  /** Merged over the current settings, or over the defaults for a new deployment. */
  readonly settings?: DeploymentSettingsPatch | undefined;
  /** How the version takes over from the serving one; ignored for a new deployment. */
  readonly plan?: RolloutPlan | undefined;
}

export interface DeployCheck extends Pick<DeployRequest, 'name' | 'settings'> {
  readonly kind: 'onnx' | 'composition';
}

export interface DeploymentControl {
  /**
   * Checks what a deploy checks before it loads anything.
   * @throws SkeinError DEPLOYMENT_INVALID.
   */
  check(request: DeployCheck): void;
  /**
   * Creates a deployment, or rolls a version out on an existing one. Resolves when the version is
   * loaded and warm; a canary or shadow then continues without the caller.
   * @throws SkeinError MODEL_UNKNOWN, VERSION_UNKNOWN, DEPLOYMENT_INVALID, COMPOSITION_INVALID,
   *   MODEL_LOAD_FAILED, DEVICE_UNAVAILABLE, VERSION_SERVED, ROLLOUT_IN_PROGRESS,
   *   ROLLED_BACK.
   */
  deploy(request: DeployRequest, actor: string): Promise<DeploymentView>;
  /** @throws SkeinError MODEL_UNKNOWN, DEPLOYMENT_INVALID. */
  changeSettings(
    name: string,
    settings: DeploymentSettingsPatch,
    actor: string,
  ): Promise<DeploymentView>;
  /** Aborts a rollout in progress, or returns to the previous targets and settings. @throws SkeinError MODEL_UNKNOWN, NOTHING_TO_ROLL_BACK. */
  rollback(name: string, reason: string, actor: string): Promise<DeploymentView>;
  /**
   * Drains the deployment, and keeps its settings and targets until it is deployed again or
   * undeployed. An unloaded one stays as it is.
   * @throws SkeinError MODEL_UNKNOWN, DEPLOYMENT_INVALID if a composition calls it.
   */
  unload(name: string, actor: string): Promise<void>;
  /** Drains and removes the deployment; its versions stay. @throws SkeinError MODEL_UNKNOWN, DEPLOYMENT_INVALID if a composition calls it. */
  undeploy(name: string, actor: string): Promise<void>;
  view(name: string): DeploymentView;
  views(): readonly DeploymentView[];
  /** The evidence of the rollout in progress, or of the last one; null without one since the node started. @throws SkeinError MODEL_UNKNOWN. */
  evidence(name: string): Promise<RolloutEvidence | null>;
  /** @throws SkeinError MODEL_UNKNOWN. */
  traffic(name: string, range: TrafficRange): DeploymentTraffic;
}

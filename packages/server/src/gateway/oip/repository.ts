/**
 * Triton's model repository extension over Skein's registry and deployments: a model is loaded when
 * it is deployed. Loading deploys the newest version; loading a deployed model rolls the newest
 * version out.
 */
import { SkeinError } from '@skein/api';
import type { DeploymentControl, Registry } from '@skein/serving';
import type { Actor, Audit } from '../../access/audit-trail.ts';
import { brief } from '../brief.ts';

export interface RepositoryEntry {
  readonly name: string;
  readonly version: string;
  readonly state: 'READY' | 'LOADING' | 'UNAVAILABLE';
  /** Why it is not ready; empty if it is. */
  readonly reason: string;
}

export interface ModelRepository {
  /** Every stored version, by model and version. */
  index(): Promise<readonly RepositoryEntry[]>;
  /** Resolves when the model is loaded and warm. @throws SkeinError as `DeploymentControl.deploy` does. */
  load(model: string, by: Actor): Promise<void>;
  /** Resolves when the model is drained. @throws SkeinError as `DeploymentControl.undeploy` does. */
  unload(model: string, by: Actor): Promise<void>;
}

export function createModelRepository(
  registry: Pick<Registry, 'versions'>,
  control: Pick<DeploymentControl, 'deploy' | 'undeploy' | 'views'>,
  audit: Audit,
): ModelRepository {
  const deployNewest = async (model: string, actor: string): Promise<void> => {
    const versions = await registry.versions(model);
    const newest = versions
      .toSorted((one, other) => Number(one.version) - Number(other.version))
      .at(-1);
    if (newest === undefined) {
      throw new SkeinError('MODEL_UNKNOWN', `No version of model "${model}" is stored.`);
    }
    await control.deploy({ name: model, version: newest.version }, actor);
  };

  return {
    async index() {
      const versions = await registry.versions();
      const states = statesOf(control);
      return versions.map(({ model, version }) => ({
        name: model,
        version,
        ...(states.get(`${model}/${version}`) ?? UNLOADED),
      }));
    },

    load: (model, by) =>
      audit({ ...by, action: 'repositoryModelLoad', subject: () => model }, () =>
        deployNewest(model, by.actor),
      ),
    unload: (model, by) =>
      audit({ ...by, action: 'repositoryModelUnload', subject: () => model }, () =>
        control.undeploy(model, by.actor),
      ),
  };
}

type State = Pick<RepositoryEntry, 'state' | 'reason'>;

const UNLOADED: State = { state: 'UNAVAILABLE', reason: 'unloaded' };

/** By `model/version`. */
function statesOf(control: Pick<DeploymentControl, 'views'>): Map<string, State> {
  const states = new Map<string, State>();
  for (const { name, status, reason, targets } of control.views()) {
    for (const { version, replicas } of targets) {
      const ready = status === 'idle' || replicas.some((replica) => replica.state === 'ready');
      const loading = replicas.some(({ state }) => state === 'loading' || state === 'warming');
      states.set(
        `${name}/${version}`,
        ready
          ? { state: 'READY', reason: '' }
          : { state: loading ? 'LOADING' : 'UNAVAILABLE', reason },
      );
    }
  }
  return states;
}

/**
 * Triton lets a load replace the model's configuration or files; Skein deploys the stored version.
 * @throws SkeinError REQUEST_INVALID.
 */
export function refuseModelConfig(parameters: unknown): void {
  const names =
    typeof parameters === 'object' && parameters !== null ? Object.keys(parameters) : [];
  const foreign = names.find((name) => name === 'config' || name.startsWith('file:'));
  if (foreign === undefined) return;
  throw new SkeinError(
    'REQUEST_INVALID',
    `The load parameter ${brief(foreign)} is not supported; deploy the model with its settings through the management API.`,
  );
}

/**
 * Triton's model repository extension over Skein's registry and deployments. A model is loaded while it is
 * deployed: `load` deploys the newest version, or rolls it out where the model is deployed already. An
 * unloaded model keeps its settings for the next load. It also keeps its version, unless a newer one is stored
 * in the meantime.
 */
import { SkeinError } from '@skein/api';
import type { DeploymentControl, Registry } from '@skein/serving';
import type { DeploymentRecord, State, VersionRecord } from '@skein/state';
import type { Actor, Audit } from '../../../access/audit-trail.ts';
import { loadOverride } from './load-override.ts';
import type { Fields } from '../parameters.ts';

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
  /**
   * Resolves when the model is loaded and warm.
   * @param parameters as plain values.
   * @throws SkeinError REQUEST_INVALID, and as `DeploymentControl.deploy` does.
   */
  load(model: string, parameters: Fields, by: Actor): Promise<void>;
  /** Resolves when the model is drained. @throws SkeinError as `DeploymentControl.unload` does. */
  unload(model: string, by: Actor): Promise<void>;
}

export function createModelRepository(
  registry: Pick<Registry, 'versions'>,
  control: Pick<DeploymentControl, 'deploy' | 'unload' | 'views'>,
  state: Pick<State, 'deployment'>,
  audit: Audit,
  log: (message: string, details: Record<string, unknown>) => void = () => {},
): ModelRepository {
  const deploy = async (model: string, parameters: Fields, actor: string): Promise<void> => {
    const stored = await state.deployment(model);
    const override = loadOverride(model, parameters, stored?.settings);
    const versions = await registry.versions(model);
    const version = override.version ?? versionToLoad(versions, stored);
    if (version === undefined) {
      // Triton's clients search for the first words.
      throw new SkeinError(
        'MODEL_UNKNOWN',
        `failed to load '${model}': no version of it is stored.`,
      );
    }
    const record = versions.find((each) => each.version === version);
    if (record !== undefined) override.check(record.signature);
    const { ignored, settings } = override;
    if (ignored.length > 0) {
      log('A load ignored fields of its config.', { deployment: model, ignored });
    }
    await control.deploy({ name: model, version, settings }, actor);
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

    load: (model, parameters, by) =>
      audit({ ...by, action: 'repositoryModelLoad', subject: () => model }, () =>
        deploy(model, parameters, by.actor),
      ),
    unload: (model, by) =>
      audit({ ...by, action: 'repositoryModelUnload', subject: () => model }, () =>
        control.unload(model, by.actor),
      ),
  };
}

/** The newest, or the one that an unloaded deployment served if none has been stored since. */
function versionToLoad(
  versions: readonly VersionRecord[],
  stored: DeploymentRecord | undefined,
): string | undefined {
  const newest = versions
    .toSorted((one, other) => Number(one.version) - Number(other.version))
    .at(-1);
  if (newest === undefined || stored?.unloaded !== true) return newest?.version;
  if (newest.createdAt > stored.updatedAt) return newest.version;
  return stored.targets.reduce((a, b) => (b.weight > a.weight ? b : a)).version;
}

type Readiness = Pick<RepositoryEntry, 'state' | 'reason'>;

const UNLOADED: Readiness = { state: 'UNAVAILABLE', reason: 'unloaded' };

/** By `model/version`. */
function statesOf(control: Pick<DeploymentControl, 'views'>): Map<string, Readiness> {
  const states = new Map<string, Readiness>();
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

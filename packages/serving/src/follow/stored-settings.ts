/**
 * A change of the settings of a deployment whose holders cannot be asked: the fleet
 * stores it, and the member that holds or loads the deployment next serves with it.
 *
 * A member that holds the deployment starts the replicas that a change needs before it is stored, so settings
 * that no replica starts with are refused. Here they are stored untried; each member shows that it cannot
 * serve them, and continues with its old settings.
 */
import { SkeinError, type DeploymentSettingsPatch } from '@skein/api';
import { exclusively } from '../changes/exclusive.ts';
import { existing, type ServingContext } from '../context.ts';
import { checkIsolation } from '../deployment/isolation.ts';
import { changedKeys, mergeSettings } from '../deployment/settings.ts';
import { adopt } from './adopt.ts';

/** @throws SkeinError MODEL_UNKNOWN, DEPLOYMENT_INVALID, ROLLOUT_IN_PROGRESS, STORE_UNREACHABLE. */
export async function storeSettings(
  context: ServingContext,
  name: string,
  patch: DeploymentSettingsPatch,
  actor: string,
): Promise<void> {
  const { state, registry, journal, cores, isolateModels } = context;
  context.mayChange();
  await exclusively(context, name, async () => {
    const place = existing(context, name).elsewhere?.place;
    const row = await state.deployment(name);
    if (row === undefined || row.unloaded === true) {
      const message = `Deployment "${name}" is ${row === undefined ? 'removed' : 'unloaded'}; deploy a version with the new settings instead.`;
      throw new SkeinError('DEPLOYMENT_INVALID', message);
    }
    const { settings, targets, rollout, revision } = row;
    if (rollout !== undefined && !['finished', 'rolled-back'].includes(rollout.phase)) {
      throw new SkeinError('ROLLOUT_IN_PROGRESS', `Deployment "${name}" is being rolled out.`);
    }
    const after = mergeSettings(settings, patch, cores).settings;
    const changed = changedKeys(settings, after);
    if (changed.length === 0) return;
    const versions = await Promise.all(
      targets.map(({ version }) => registry.version(name, version)),
    );
    for (const record of versions) checkIsolation(after, record, isolateModels);
    const stored = await state.putDeployment({ name, settings: after, targets, rollout }, revision);
    await adopt(context, { row: stored, versions }, place);
    journal.record({
      deployment: name,
      kind: 'settings-changed',
      reason: `${changed.join(', ')} changed; no member that holds it was there`,
      details: { before: settings, after },
      actor,
    });
  });
}

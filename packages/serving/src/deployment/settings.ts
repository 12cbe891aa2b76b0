/**
 * The settings of a deployment: requested changes merged over the current ones, checked against
 * each other and against the machine. Inside `objective`, `replicas`, `batching` and `cache`, a
 * missing field keeps its value too; `null` resets a setting to its default.
 */
import { DeploymentSettings, SkeinError, type DeploymentSettingsPatch } from '@skein/api';

/** Settings with the replica bounds filled in for this machine. */
export interface EffectiveSettings {
  readonly settings: DeploymentSettings;
  readonly replicas: NonNullable<DeploymentSettings['replicas']>;
}

/**
 * @param current the current settings; undefined for a new deployment.
 * @param cores of this node.
 * @throws SkeinError DEPLOYMENT_INVALID with the offending value and the numbers.
 */
export function mergeSettings(
  current: DeploymentSettings | undefined,
  change: DeploymentSettingsPatch | undefined,
  cores: number,
): EffectiveSettings {
  const merged: Record<string, unknown> = { ...current };
  for (const [key, value] of Object.entries(change ?? {})) {
    if (value === undefined) continue;
    if (value === null) {
      delete merged[key];
      continue;
    }
    const before = merged[key];
    merged[key] = isRecord(value) && isRecord(before) ? { ...before, ...value } : value;
  }
  // Bounds with only `min` or `max` are completed before they are checked.
  const threads = typeof merged['threads'] === 'number' ? merged['threads'] : 1;
  if (isRecord(merged['replicas'])) {
    const { min, max, ...others } = merged['replicas'] as { min?: number; max?: number };
    const carried = replicasCarried(cores, threads);
    merged['replicas'] = {
      ...others,
      min: min ?? Math.min(1, max ?? 1),
      max: max ?? Math.max(min ?? 1, carried),
    };
  }
  const parsed = DeploymentSettings.safeParse(merged);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const where = issue?.path.join('.') || 'settings';
    throw new SkeinError('DEPLOYMENT_INVALID', `${where}: ${issue?.message ?? 'invalid'}.`);
  }
  const effective = effectiveSettings(parsed.data, cores);
  checkCores(effective, cores);
  return effective;
}

/** Fills in the default bounds: from 1 to as many replicas as the cores allow. Checks nothing. */
export function effectiveSettings(settings: DeploymentSettings, cores: number): EffectiveSettings {
  const carried = replicasCarried(cores, settings.threads);
  return { settings, replicas: settings.replicas ?? { min: 1, max: carried } };
}

/** Default start timeout of a replica: a time in milliseconds, or a number of objectives. */
const START_MS = 60_000;
const START_OBJECTIVES = 10;

export function startTimeoutOf({
  startTimeoutMs,
  objective,
}: Pick<DeploymentSettings, 'startTimeoutMs' | 'objective'>): number {
  return startTimeoutMs ?? Math.max(START_MS, START_OBJECTIVES * objective.latencyMs);
}

/** Whether a change of settings requires new replicas. */
export function needsNewReplicas(before: DeploymentSettings, after: DeploymentSettings): boolean {
  return (
    before.threads !== after.threads ||
    before.isolation !== after.isolation ||
    before.maxMemoryBytes !== after.maxMemoryBytes ||
    before.startTimeoutMs !== after.startTimeoutMs ||
    before.device !== after.device ||
    before.maxQueue !== after.maxQueue ||
    before.finiteOnly !== after.finiteOnly ||
    before.batching.maxRows !== after.batching.maxRows ||
    // Batches are sized for the objective.
    before.objective.latencyMs !== after.objective.latencyMs
  );
}

/** The names of the settings that differ. */
export function changedKeys(before: object, after: object): string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  const text = (of: object, key: string): string | undefined =>
    JSON.stringify((of as Record<string, unknown>)[key]);
  return [...keys].filter((key) => text(before, key) !== text(after, key));
}

function checkCores({ settings, replicas }: EffectiveSettings, cores: number): void {
  const asked = settings.threads * replicas.max;
  if (settings.oversubscribe || asked <= cores) return;
  throw new SkeinError(
    'DEPLOYMENT_INVALID',
    `${replicas.max} replicas × ${settings.threads} threads take ${asked} cores, but the node has ${cores}: ` +
      `lower threads or replicas.max, or set oversubscribe.`,
  );
}

function replicasCarried(cores: number, threads: number): number {
  return Math.max(1, Math.floor(cores / threads));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Uploads a model and deploys it: shared by `deploy` and `train --deploy`. */
import type { DeploymentSettingsPatch, DeploymentView, RolloutPlan, VersionView } from '@skein/api';
import type { Client } from '@skein/api/client';
import { SkeinError } from '@skein/api/errors';
import { formatDuration } from '@skein/api/units';
import type { Conversion } from './comparison.ts';
import type { Context } from '../command-line/command.ts';

export interface VersionToServe {
  readonly name: string;
  readonly version: string;
  readonly settings?: DeploymentSettingsPatch;
  readonly plan?: Partial<RolloutPlan> | undefined;
}

export interface Deployed {
  readonly version: VersionView;
  readonly deployment: DeploymentView;
  /** From the start of the upload until the version is warm. */
  readonly tookMs: number;
  /** The conversion of a file of another program. */
  readonly conversion?: Conversion;
  /** Commands that call it. */
  readonly try: readonly string[];
}

/** Deploys a version, and shows progress while the node loads and warms it. */
export async function serveVersion(
  context: Context,
  client: Client,
  { name, version, settings = {}, plan }: VersionToServe,
): Promise<DeploymentView> {
  const started = performance.now();
  const draw = (): void =>
    context.notes.progress(
      `Loading and warming ${name} v${version} … ${formatDuration(performance.now() - started)}`,
    );
  draw();
  const timer = setInterval(draw, 100);
  try {
    return await client.deploy({
      name,
      version,
      ...(Object.keys(settings).length === 0 ? {} : { settings }),
      plan,
    });
  } finally {
    clearInterval(timer);
    context.notes.clear();
  }
}

/** The versions of a model; none if the node does not know it. */
export async function storedVersions(client: Client, name: string): Promise<ReadonlySet<string>> {
  try {
    const { versions } = await client.listVersions({ name });
    return new Set(versions.map(({ version }) => version));
  } catch (error) {
    if (error instanceof SkeinError && error.code === 'MODEL_UNKNOWN') return new Set();
    throw error;
  }
}

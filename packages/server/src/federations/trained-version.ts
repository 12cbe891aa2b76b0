/** The model of a federation as the next version of the model that it was started from. */
import { buffer } from 'node:stream/consumers';
import { readModel, writeModel } from '@skein/onnx';
import { isCounting } from '@skein/federation';
import type { FederationView } from '@skein/federation/coordinator';
import { tensorsOf } from '@skein/train/federated';
import { servedModel, withTrained } from '@skein/train';
import type { Registry } from '@skein/serving';
import type { ArtifactStore, VersionRecord } from '@skein/state';

/** Metadata of a version that a federation produced: its id. */
export const FEDERATION_KEY = 'federation';

/** The version that a federation produced, if it has. */
export async function versionOf(
  registry: Pick<Registry, 'versions'>,
  { id, plan }: Pick<FederationView, 'id' | 'plan'>,
): Promise<VersionRecord | undefined> {
  const versions = await registry.versions(plan.name);
  return versions.find(({ metadata }) => metadata[FEDERATION_KEY] === id);
}

/** Stores the version, unless it is stored already. Nothing before the first round is done. */
export async function storeVersion(
  registry: Registry,
  artifacts: Pick<ArtifactStore, 'read'>,
  view: FederationView,
): Promise<void> {
  const { id, parameters, plan, planDigest, round, spent } = view;
  if (parameters === undefined || round === 0 || isCounting(plan)) return;
  if ((await versionOf(registry, view)) !== undefined) return;
  const { trainingOf } = await import('@skein/federation/site');
  const model = readModel(await buffer(artifacts.read(plan.model.digest)));
  const vector = new Float32Array((await buffer(artifacts.read(parameters))).buffer.slice(0));
  const { federated } = trainingOf(plan, model, 1);
  const bytes = writeModel(servedModel(withTrained(model, tensorsOf(federated.layout, vector))));
  // The budget is kept against as many colluding parties as the plan allows for, of sites or of helpers.
  const against = spent.at(-1);
  await registry.importModel(
    plan.name,
    (async function* () {
      yield bytes;
    })(),
    {
      [FEDERATION_KEY]: id,
      plan: planDigest,
      rounds: String(round),
      // Never rounded down.
      ...(against === undefined
        ? {}
        : { epsilon: (Math.ceil(against.epsilon * 1e4) / 1e4).toFixed(4) }),
    },
  );
}

/** A coordinator on a folder, with what a node adds to it: plans of stored models, and resulting versions. */
import { createReadStream } from 'node:fs';
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { FederationPlan, FederationView } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { isOver } from '@skein/api/federations';
import {
  checkDraft,
  createIdentity,
  draftFor,
  importIdentity,
  isCounting,
  type Identity,
  type PlanDraft,
} from '@skein/federation';
import {
  type Coordinator,
  type FederationView as Federation,
  openCoordinator,
} from '@skein/federation/coordinator';
import { modelFacts } from '@skein/federation/site';
import { openFederationStore } from '@skein/federation/store';
import { LARGEST_FILE, OnnxError, readModel } from '@skein/onnx';
import type { Registry } from '@skein/serving';
import { TrainError } from '@skein/train';
import { createDiskSpace, FLEET_NAMESPACE, openFileArtifacts } from '@skein/state';
import type { NodeSettings } from '../components/options.ts';
import { MAX_MODEL_BYTES } from '../components/component.ts';
import { DATABASE } from '../components/federations.ts';
import { storeVersion, versionOf } from './trained-version.ts';

export interface StartFederation {
  readonly model: string;
  readonly version: string;
  /** The draft of a plan, without name, model and task. */
  readonly plan: Readonly<Record<string, unknown>>;
}

export interface OpenedFederations {
  readonly coordinator: Coordinator;
  list(): Promise<FederationView[]>;
  view(id: string): Promise<FederationView>;
  start(from: StartFederation): Promise<FederationView>;
  close(): Promise<void>;
}

export interface FederationsOptions extends Pick<
  NodeSettings,
  'redis' | 'keptFreeBytes' | 'ledgersKeptMs' | 'namespace'
> {
  readonly registry: Registry;
  readonly logger: { warn(details: object, message: string): void };
}

/** @param place folder of the federations; made if it is missing. */
export async function openFederationsAt(
  place: string,
  options: FederationsOptions,
): Promise<OpenedFederations> {
  const { keptFreeBytes, ledgersKeptMs, registry, logger } = options;
  // A folder of its own, also where the models of a fleet are in a bucket: the coordinator removes what its runs do not name.
  const folder = join(place, 'artifacts');
  const space = createDiskSpace({ folder, keptFreeBytes });
  const artifacts = await openFileArtifacts(folder, { space });
  const { namespace = FLEET_NAMESPACE } = options;
  const identity = await keptIdentity(join(place, 'identity'));
  // Sites know a coordinator by its key, so that no other node of a fleet may conduct its federations.
  const own = `${namespace}-${identity.key.slice(0, 16)}`;
  const store = await openFederationStore(options.redis ?? join(place, DATABASE), {
    namespace: own,
  });
  const coordinator = await openCoordinator({
    store,
    artifacts,
    identity,
    folder: join(place, 'uploads'),
    keptMs: ledgersKeptMs,
    onFault: (error) => logger.warn({ err: error }, 'A federation has a fault.'),
  });
  const closing = new AbortController();

  async function viewOf(federation: Federation): Promise<FederationView> {
    const { members, parameters: _, createdAt, updatedAt, plan, spent, ...rest } = federation;
    const version = (await versionOf(registry, federation))?.version;
    return {
      ...rest,
      name: plan.name,
      plan: plan as unknown as FederationPlan,
      sites: members.map(({ revokedAt, ...site }) => ({
        ...site,
        ...(revokedAt === undefined ? {} : { revokedAt: timeOf(revokedAt) }),
      })),
      spent: spent.map(({ colluding, epsilon }) => ({
        colluding,
        epsilon: Number.isFinite(epsilon) ? epsilon : null,
      })),
      ...(version === undefined ? {} : { version }),
      createdAt: timeOf(createdAt),
      updatedAt: timeOf(updatedAt),
    };
  }

  /** Waits for the end of a federation, and stores its model. */
  async function follow(id: string): Promise<void> {
    for await (const view of coordinator.watch(id, closing.signal)) {
      if (isOver(view)) await storeVersion(registry, artifacts, view);
    }
  }
  const followed = (id: string): void =>
    void follow(id).catch((error: unknown) => {
      logger.warn({ err: error, federation: id }, 'The model of a federation was not stored.');
    });
  for (const view of await coordinator.list()) followed(view.id);

  return {
    coordinator,
    list: async () => Promise.all((await coordinator.list()).map(viewOf)),
    view: async (id) => viewOf(await coordinator.view(id)),
    async start({ model: name, version, plan }) {
      const record = await registry.version(name, version);
      if (record.sizeBytes > LARGEST_FILE) {
        throw new SkeinError('TRAINING_MODEL_UNFIT', 'A model above 2 GiB cannot be trained.');
      }
      const path = await registry.pathOf(record);
      const { digest } = await artifacts.put(createReadStream(path), MAX_MODEL_BYTES);
      // A model whose rows are counted need not be one that can be trained.
      const { task, parameters } = isCounting(plan)
        ? { task: checkDraft(plan, name).task, parameters: 1 }
        : factsOf(await readFile(path));
      const draft = draftFor({ name, task, model: { digest, parameters } }, plan);
      const view = await coordinator.start(draft as unknown as PlanDraft);
      followed(view.id);
      return viewOf(view);
    },
    async close() {
      closing.abort();
      await coordinator.close();
      await store.close();
      await artifacts.close();
    },
  };
}

/** @throws SkeinError TRAINING_MODEL_UNFIT for a model that cannot be trained: it came from a client. */
function factsOf(content: Uint8Array): ReturnType<typeof modelFacts> {
  try {
    return modelFacts(readModel(content));
  } catch (error) {
    if (!(error instanceof OnnxError || error instanceof TrainError)) throw error;
    throw new SkeinError('TRAINING_MODEL_UNFIT', error.message, { cause: error });
  }
}

/** The key pair of the coordinator, which sites know it by; made by the first federation. */
async function keptIdentity(path: string): Promise<Identity> {
  try {
    return await importIdentity(new Uint8Array(await readFile(path)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const made = await createIdentity();
  // Whole or not at all: half a key would end every federation.
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(await made.exported());
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  return made;
}

const timeOf = (ms: number): string => new Date(ms).toISOString();

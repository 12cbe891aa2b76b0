/**
 * Keeps one bundle of a device current: two slots, one in use, and a pointer in `state.json` that is replaced as a
 * whole. A version takes over after its signatures, digests and golden vectors were checked, stays on trial until it has
 * answered, and gives way to the one before it at its first fault.
 *
 * A process that is killed at any moment leaves a state from which the next one continues. One process at a time may use a
 * storage.
 */
import { SkeinError } from '@skein/api/errors';
import type { Session } from '@skein/runtime/contract';
import { goldenFault, measureGolden } from '../bundle/golden.ts';
import {
  isRuntimeAtLeast,
  readManifest,
  type Backend,
  type FoundManifest,
} from '../bundle/manifest.ts';
import { refresh } from '../trust/refresh.ts';
import type { Bytes, Source } from '../trust/source.ts';
import { untrusted } from '../trust/metadata.ts';
import { dropIncoming, fillSlot, loadSlot, type LoadedVersion } from './slots.ts';
import * as states from './state.ts';
import { DeviceState, NOTHING, type Failed } from './state.ts';
import { readValue, writeValue, type Storage } from './storage.ts';
import { readTrust, saveTrust } from './trust-file.ts';

export interface UpdaterOptions {
  readonly storage: Storage;
  readonly source: Source;
  /** The root that the application brings. */
  readonly pinnedRoot: Bytes;
  /** Name of the bundle. */
  readonly name: string;
  readonly backend: Backend;
  /** Version of ONNX Runtime on this device. */
  readonly runtimeVersion: string;
  /** Opens a session that may fail, hang or die without this process: a child process, or a worker. */
  readonly open: (model: Bytes) => Promise<Session>;
  readonly now?: () => number;
}

/**
 * `updated`: a version took over. `current`: the newest one is active. `trial`: the active one is not committed yet.
 * `refused`: the newest version has failed on this device before, or fails now.
 */
export type UpdateOutcome =
  | { readonly kind: 'updated'; readonly version: number; readonly from: number | null }
  | { readonly kind: 'current' | 'trial'; readonly version: number }
  | { readonly kind: 'refused'; readonly version: number; readonly reason: string };

export interface Updater {
  /** The version to run; undefined before the first update. */
  readonly active: LoadedVersion | undefined;
  /** Whether the active version may still be rolled back. */
  readonly isOnTrial: boolean;
  readonly failed: readonly Failed[];
  /** @throws SkeinError EDGE_UNTRUSTED, EDGE_EXPIRED, EDGE_UNREACHABLE, STORAGE_FULL: the active version stays. */
  update(): Promise<UpdateOutcome>;
  /** The active version has answered a request. */
  answered(): Promise<void>;
  /** The active version has failed. @returns whether the version before it is active now. */
  faulted(reason: string): Promise<boolean>;
}

const STATE = 'state.json';

/** Opens what is installed, without a network. Damaged files, and a version that never answers, are rolled back. */
export async function openUpdater(options: UpdaterOptions): Promise<Updater> {
  const { storage, source, name, backend, now = Date.now } = options;
  const stored = DeviceState.safeParse(await readValue(storage, STATE));
  let state = stored.success ? stored.data : NOTHING;
  let active: LoadedVersion | undefined;

  async function become(next: DeviceState): Promise<void> {
    if (next === state) return;
    await writeValue(storage, STATE, next);
    state = next;
  }
  /** Loads the active version, or the one before it where the files are damaged. */
  async function load(): Promise<void> {
    active = undefined;
    while (state.active !== null && active === undefined) {
      active = await loadSlot(storage, state.active, backend);
      if (active === undefined) await become(states.rolledBack(state));
    }
  }
  await become(states.started(state));
  await load();

  /** Calls change the state one after another. */
  let last: Promise<unknown> = Promise.resolve();
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  }

  async function newest(): Promise<FoundManifest> {
    const { pinnedRoot } = options;
    const stored = await readTrust(storage);
    const save = (trust: Parameters<typeof saveTrust>[1]) => saveTrust(storage, trust);
    const { targets } = await refresh({ pinnedRoot, stored, source, now: now(), save });
    return readManifest(source, targets, name);
  }

  async function update(): Promise<UpdateOutcome> {
    const found = await newest();
    const { manifest, digest } = found;
    const { version } = manifest;
    const from = state.active?.version ?? null;
    if (digest === state.active?.digest) {
      return { kind: state.trial === null ? 'current' : 'trial', version };
    }
    const failure = state.failed.find((each) => each.digest === digest);
    if (failure !== undefined) return { kind: 'refused', version, reason: failure.reason };
    if (from !== null && version <= from) {
      throw untrusted(`${name} goes back from version ${from} to ${version}.`);
    }
    // The slot of the version before is what a version on trial falls back to.
    if (state.trial !== null && state.previous !== null) return { kind: 'trial', version: from! };
    const refused = unfit(found);
    if (refused !== undefined) return { kind: 'refused', version, reason: refused };

    const slot = states.freeSlot(state);
    try {
      await install(found, { slot, version, digest });
    } catch (error) {
      // A part of a version must not keep the disk full.
      if (error instanceof SkeinError && error.code === 'STORAGE_FULL') {
        await Promise.all([dropIncoming(storage), storage.remove(slot)]);
      }
      throw error;
    }
    await dropIncoming(storage);
    if (state.active?.digest !== digest) {
      await storage.remove(slot);
      return { kind: 'refused', version, reason: state.failed.at(-1)!.reason };
    }
    await load();
    return { kind: 'updated', version, from };
  }

  /** Downloads and checks a version. Afterwards it is active, or failed. */
  async function install(found: FoundManifest, installed: states.Installed): Promise<void> {
    if (state.trying?.digest !== installed.digest) await dropIncoming(storage);
    await become(states.downloading(state, installed.digest));
    await fillSlot(storage, source, installed.slot, found, backend);
    await become(states.checking(state, installed));
    if (state.trying === null) return;
    const fault = await faultOf(installed);
    await become(
      fault === undefined
        ? states.activated(state, installed)
        : states.failedWith(state, installed, fault),
    );
  }

  /** Why this device, as it is now, does not install a version; a later one of Skein may. */
  function unfit({ manifest }: FoundManifest): string | undefined {
    const { runtime, expires } = manifest;
    if (!isRuntimeAtLeast(options.runtimeVersion, runtime.least)) {
      return `it needs ONNX Runtime ${runtime.least}, and this device has ${options.runtimeVersion}`;
    }
    return now() < Date.parse(expires) ? undefined : `it has expired at ${expires}`;
  }

  async function faultOf(installed: states.Installed): Promise<string | undefined> {
    const loaded = await loadSlot(storage, installed, backend);
    if (loaded === undefined) return 'its files changed while they were written';
    const { tolerance } = loaded.variant.backends[backend]!;
    try {
      const session = await options.open(loaded.model);
      try {
        return goldenFault(await measureGolden(session, loaded.golden), tolerance);
      } finally {
        await session.close();
      }
    } catch (error) {
      return (error as Error).message;
    }
  }

  return {
    get active() {
      return active;
    },
    get isOnTrial() {
      return state.trial !== null;
    },
    get failed() {
      return state.failed;
    },
    update: () => inTurn(update),
    answered: () => inTurn(() => become(states.answered(state))),
    faulted: (reason) =>
      inTurn(async () => {
        const before = state;
        await become(states.faulted(state, reason));
        if (state === before) return false;
        await load();
        return true;
      }),
  };
}

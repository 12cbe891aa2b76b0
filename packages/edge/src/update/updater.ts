/**
 * Keeps one bundle of a device current: two slots, one in use, and a pointer in `state.json` that is replaced as a
 * whole. A version takes over after its signatures, digests and golden vectors were checked, stays on trial until it has
 * answered, and gives way to the one before it at its first fault.
 *
 * A process that is killed at any moment leaves a state from which the next one continues. One process at a time may use a
 * storage; pages of one origin share theirs by a lock.
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
import type { Fetched } from './download.ts';
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
  readonly open: (model: Bytes, version: LoadedVersion) => Promise<Session>;
  readonly now?: () => number;
  /**
   * Why a version that the publisher has signed is not to be installed now; undefined: nothing holds it back. It can keep
   * a device where it is, and no more. @param from null: the device has no version.
   */
  readonly heldBack?: ((version: number, from: number | null) => string | undefined) | undefined;
  /**
   * Runs a change of the storage while no other page of the same origin changes it. Each change then begins with what the
   * others have stored. Absent: this process is the only one.
   */
  readonly exclusive?: (<T>(work: () => Promise<T>) => Promise<T>) | undefined;
}

/**
 * `updated`: a version took over. `current`: the newest one is active. `trial`: the active one is not committed yet.
 * `refused`: the newest version has failed on this device before, or fails now. `held`: a rollout holds it back.
 */
export type UpdateOutcome =
  | {
      readonly kind: 'updated';
      readonly version: number;
      readonly from: number | null;
      readonly fetched: Fetched;
    }
  | { readonly kind: 'current' | 'trial'; readonly version: number }
  | { readonly kind: 'refused' | 'held'; readonly version: number; readonly reason: string };

export interface Updater {
  /** The version to run; undefined before the first update. */
  readonly active: LoadedVersion | undefined;
  /** Whether the active version may still be rolled back. */
  readonly isOnTrial: boolean;
  readonly failed: readonly Failed[];
  /** The newest version that the publisher had at the last update; undefined: it was not read since the start. */
  readonly published: number | undefined;
  /** @throws SkeinError EDGE_UNTRUSTED, EDGE_EXPIRED, EDGE_UNREACHABLE, STORAGE_FULL: the active version stays. */
  update(): Promise<UpdateOutcome>;
  /** The active version has been loaded and runs: its start does not count as one without an answer. */
  ran(): Promise<void>;
  /** The active version has answered a request. */
  answered(): Promise<void>;
  /** The active version has failed. @returns whether the version before it is active now. */
  faulted(reason: string): Promise<boolean>;
}

const STATE = 'state.json';

/** Opens what is installed, without a network. Damaged files, and a version that never answers, are rolled back. */
export async function openUpdater(options: UpdaterOptions): Promise<Updater> {
  const { storage, source, name, backend, now = Date.now } = options;
  const { exclusive = async (work) => work() } = options;
  let state = NOTHING;
  let active: LoadedVersion | undefined;
  let published: number | undefined;

  async function readState(): Promise<void> {
    const stored = DeviceState.safeParse(await readValue(storage, STATE));
    state = stored.success ? stored.data : NOTHING;
  }

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
  await exclusive(async () => {
    await readState();
    await become(states.started(state));
    await load();
  });

  /** Begins with the version that another page has installed meanwhile. */
  async function reread(): Promise<void> {
    const before = state.active?.digest;
    await readState();
    if (state.active?.digest !== before) await load();
  }

  /** Calls change the state one after another. */
  let last: Promise<unknown> = Promise.resolve();
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = last.then(() =>
      exclusive(async () => {
        if (options.exclusive !== undefined) await reread();
        return work();
      }),
    );
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
    published = version;
    const from = state.active?.version ?? null;
    if (digest === state.active?.digest) {
      return { kind: state.trial === null ? 'current' : 'trial', version };
    }
    const failure = state.failed.find((each) => each.digest === digest);
    if (failure !== undefined) return { kind: 'refused', version, reason: failure.reason };
    if (from !== null && version <= from) {
      throw untrusted(`${name} goes back from version ${from} to ${version}.`);
    }
    const held = options.heldBack?.(version, from);
    if (held !== undefined) return { kind: 'held', version, reason: held };
    // The slot of the version before is what a version on trial falls back to.
    if (state.trial !== null && state.previous !== null) return { kind: 'trial', version: from! };
    const refused = unfit(found);
    if (refused !== undefined) return { kind: 'refused', version, reason: refused };

    const slot = states.freeSlot(state);
    let fetched: Fetched;
    try {
      fetched = await install(found, { slot, version, digest });
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
    return { kind: 'updated', version, from, fetched };
  }

  /** Downloads and checks a version. Afterwards it is active, or failed. */
  async function install(found: FoundManifest, installed: states.Installed): Promise<Fetched> {
    if (state.trying?.digest !== installed.digest) await dropIncoming(storage);
    await become(states.downloading(state, installed.digest));
    const parent = active;
    const fetched = await fillSlot(storage, source, installed.slot, found, { backend, parent });
    await become(states.checking(state, installed));
    if (state.trying === null) return fetched;
    const fault = await faultOf(installed);
    await become(
      fault === undefined
        ? states.activated(state, installed)
        : states.failedWith(state, installed, fault),
    );
    return fetched;
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
      const session = await options.open(loaded.model, loaded);
      try {
        return goldenFault(await measureGolden(session, loaded.golden), tolerance);
      } finally {
        await session.close();
      }
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** Nothing is to be noted of a committed version, nor of one that another page has replaced meanwhile. */
  async function noted(next: (state: DeviceState) => DeviceState): Promise<void> {
    const { active: noting, trial } = state;
    if (trial === null) return;
    await inTurn(async () => {
      if (state.active?.digest === noting?.digest) await become(next(state));
    });
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
    get published() {
      return published;
    },
    update: () => inTurn(update),
    ran: () => noted(states.ran),
    answered: () => noted(states.answered),
    faulted(reason) {
      const { active: failed } = state;
      return inTurn(async () => {
        if (state.active?.digest !== failed?.digest) return true;
        const before = state;
        await become(states.faulted(state, reason));
        if (state === before) return false;
        await load();
        return true;
      });
    },
  };
}

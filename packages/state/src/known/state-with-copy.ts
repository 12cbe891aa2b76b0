/**
 * The state whose writes by this node are in its copy before they are acknowledged. A reader that
 * was already on its way with an older answer reads again.
 */
import type { State } from '../contract.ts';
import {
  type KnownState,
  withDeployment,
  withKeys,
  withoutDeployment,
  withoutKeys,
  withRevocation,
} from './known-state.ts';
import { type VersionOf, withVersions } from './read-known.ts';

export interface Copy {
  readonly known: () => KnownState;
  /** Whether the store answers. */
  readonly isCurrent: () => boolean;
  readonly versionOf: VersionOf;
  /** The store has accepted a write: what was read before it is read again. */
  readonly noteWrite: () => void;
  readonly change: (next: (now: KnownState) => KnownState) => void;
}

export function stateWithCopy(
  guarded: Omit<State, 'close'>,
  { known, isCurrent, versionOf, noteWrite, change }: Copy,
): Omit<State, 'close'> {
  function wrote(next: (now: KnownState) => KnownState): void {
    noteWrite();
    change(next);
  }

  return {
    ...guarded,
    // Callers are identified by this node's copy while the store does not answer.
    keys: async () => (isCurrent() ? guarded.keys() : [...known().keys.values()]),
    async putDeployment(...args) {
      const row = await guarded.putDeployment(...args);
      noteWrite();
      const put = await withVersions(row, (...names) => versionOf(...names).catch(() => undefined));
      wrote((now) =>
        (now.deployments.get(row.name)?.row.revision ?? 0) < row.revision
          ? withDeployment(now, put)
          : now,
      );
      return row;
    },
    async removeDeployment(name) {
      await guarded.removeDeployment(name);
      wrote((now) => {
        const { row } = now.deployments.get(name) ?? {};
        return row === undefined ? now : withoutDeployment(now, name, row.revision + 1);
      });
    },
    async addKey(key) {
      await guarded.addKey(key);
      wrote((now) => withKeys(now, [...now.keys.values(), key]));
    },
    async revokeKey(id, at) {
      const isKnown = await guarded.revokeKey(id, at);
      wrote((now) => withRevocation(now, id, at));
      return isKnown;
    },
    async removeKeys(ids) {
      await guarded.removeKeys(ids);
      wrote((now) => withoutKeys(now, ids));
    },
  };
}

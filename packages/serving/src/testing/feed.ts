/** Wanted deployments of a fleet, for nodes in the process of a test. */
import { SkeinError } from '@skein/api';
import type { DesiredDeployments } from '../follow/follower.ts';
import type { Scene } from './scene.ts';
import type { DesiredDeployment } from '../follow/placing.ts';

/** The fleet's wanted deployments, read from the state when the test asks for it. */
export interface Feed extends DesiredDeployments {
  read(): Promise<void>;
  away: boolean;
}

export function feedOf({ state }: Pick<Scene, 'state'>): Feed {
  const listeners = new Set<() => void>();
  let current: DesiredDeployment[] = [];
  return {
    away: false,
    async read() {
      const rows = await state.deployments();
      current = await Promise.all(
        rows.map(async (row) => ({ row, versions: await state.versions(row.name) })),
      );
      for (const listener of listeners) listener();
    },
    current: () => current,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    mayChange() {
      if (this.away) throw new SkeinError('STORE_UNREACHABLE', 'The store is away.');
    },
  };
}

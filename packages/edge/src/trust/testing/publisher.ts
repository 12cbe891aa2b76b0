/** A publisher with its keys and a place, and a device that trusts its first root. */
import { createKey } from '../keys.ts';
import { ROLES, type Role } from '../metadata.ts';
import { createRoot, publish } from '../publish.ts';
import { refresh, type Refreshed, type TrustState } from '../refresh.ts';
import type { RoleKeys } from '../sign.ts';
import type { Bytes, Source } from '../source.ts';
import { memoryPlace, type MemoryPlace } from './memory-place.ts';

export const NOW = Date.parse('2030-01-01T00:00:00Z');
export const DAY_MS = 86_400_000;

/** @param counts keys of a role; default: one. */
export async function keysFor(counts: Partial<Record<Role, number>> = {}): Promise<RoleKeys> {
  const keys: Partial<Record<Role, RoleKeys[Role]>> = {};
  for (const role of ROLES) {
    keys[role] = await Promise.all(Array.from({ length: counts[role] ?? 1 }, createKey));
  }
  return keys as RoleKeys;
}

export interface Publisher {
  readonly keys: RoleKeys;
  readonly place: MemoryPlace;
  readonly root: Bytes;
}

export async function publisherOf(
  targets: Parameters<typeof publish>[1]['targets'] = {},
): Promise<Publisher> {
  const keys = await keysFor();
  const place = memoryPlace();
  const root = await createRoot(place, keys, NOW);
  await publish(place, { keys, targets, now: NOW });
  return { keys, place, root };
}

export interface TrustingDevice {
  state: TrustState | undefined;
  refresh(source: Source, now?: number): Promise<Refreshed>;
}

export function deviceOf(pinnedRoot: Bytes): TrustingDevice {
  const device: TrustingDevice = {
    state: undefined,
    refresh: (source, now = NOW) =>
      refresh({
        pinnedRoot,
        stored: device.state,
        source,
        now,
        save: async (state) => {
          device.state = state;
        },
      }),
  };
  return device;
}

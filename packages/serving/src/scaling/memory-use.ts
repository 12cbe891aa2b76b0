/**
 * The memory that models take on this node. A replica counts with what its loading has added to the
 * resident memory, and with what its file lets expect until that is known.
 */
import type { VersionRecord } from '@skein/state';
import type { ServingContext } from '../context.ts';
import type { Deployment } from '../deployment/deployment.ts';
import type { ResidentDeployment } from '../follow/placing.ts';
import type { LiveTarget } from '../deployment/live-target.ts';
import { measuredBytes } from './model-memory.ts';

/** Memory of one replica, in bytes. */
export function copyBytes(live: LiveTarget): number {
  for (const { memoryBytes } of live.target.snapshot().replicas) {
    if (memoryBytes === undefined) continue;
    const measured = measuredBytes(live.record, memoryBytes);
    live.measuredBytes = Math.max(live.measuredBytes ?? 0, measured);
  }
  return live.measuredBytes ?? live.expectedBytes;
}

/** Memory of all its replicas; one that a request would start counts. */
function bytesOf(live: LiveTarget): number {
  return copyBytes(live) * Math.max(1, live.wanted);
}

/**
 * Everything that is loaded, being loaded or being unloaded, by deployment.
 * @param without versions that are not counted.
 */
export function residentsOf(
  { deployments, inMemory }: ServingContext,
  without: ReadonlySet<LiveTarget> = new Set(),
): ResidentDeployment[] {
  const residents = new Map<string, ResidentDeployment>();
  const add = (id: string, live: LiveTarget): void => {
    const known = residents.get(id);
    residents.set(id, {
      id,
      bytes: (known?.bytes ?? 0) + bytesOf(live),
      loadedAt: Math.max(known?.loadedAt ?? 0, live.loadedAt),
      usedAt: Math.max(known?.usedAt ?? 0, live.loadedAt, live.scaling.lastTrafficAt),
    });
  };
  const counted = new Set(without);
  for (const { name, live } of deployments.values()) {
    for (const each of live.values()) {
      if (!counted.has(each)) add(name, each);
      counted.add(each);
    }
  }
  for (const [live, name] of inMemory) if (!counted.has(live)) add(name, live);
  return [...residents.values()];
}

/** Memory of a version on a node that has loaded it. */
interface MeasuredVersion extends Pick<VersionRecord, 'digest'> {
  /** Memory of one replica, in bytes. */
  readonly bytes: number;
}

/** Whether something is being unloaded, whose memory is free soon. */
export function isUnloading({ deployments, inMemory, loading }: ServingContext): boolean {
  return [...inMemory].some(
    ([live, name]) =>
      !loading.has(live.target) && deployments.get(name)?.live.get(live.record.version) !== live,
  );
}

/** A node's report to its fleet about its memory. */
export interface MemoryUse {
  readonly residents: readonly ResidentDeployment[];
  readonly measured: readonly MeasuredVersion[];
}

export function memoryUse(context: ServingContext): MemoryUse {
  const residents = residentsOf(context, context.waitingForMemory);
  return { residents, measured: measuredVersions(context.deployments) };
}

/** Memory of each version; only measured ones. */
function measuredVersions(deployments: ReadonlyMap<string, Deployment>): MeasuredVersion[] {
  const measured: MeasuredVersion[] = [];
  for (const { live } of deployments.values()) {
    for (const each of live.values()) {
      const bytes = copyBytes(each);
      if (each.measuredBytes !== undefined) measured.push({ digest: each.record.digest, bytes });
    }
  }
  return measured;
}

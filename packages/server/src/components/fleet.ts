/** The fleet of a node: its own membership, and its view of the other members. */
import { createFleet, type NodeFleet } from '../fleet/fleet.ts';
import { VERSION } from '../version.ts';
import type { InferenceComponent } from './inference.ts';
import type { Opening } from './component.ts';
import type { SharedState } from './shared-state.ts';
import type { StorageComponent } from './storage.ts';

/** @param plane is asked once the node has it: what this member serves and has forwarded. */
export function openFleet(
  { options, logger, clock }: Opening,
  { state }: StorageComponent,
  shared: SharedState | undefined,
  plane: () => InferenceComponent,
): Promise<NodeFleet> {
  // Members that cannot call each other hold everything.
  const placed = options.fleetKey === undefined ? undefined : shared;
  return createFleet({
    state,
    clock,
    version: VERSION,
    logger,
    modelMemoryBytes: options.modelMemoryBytes,
    cores: options.cores,
    serving: () => plane().serving,
    store: shared && (() => shared.view()),
    forwarding: () => plane().forwarding?.counters,
    desired: placed && (() => placed.desired.current()),
  });
}

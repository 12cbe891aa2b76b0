/** The membership of a node in its fleet. */
import type { State } from '@skein/state';
import { createFleet, type FleetOptions, type NodeFleet } from '../fleet/fleet.ts';
import { VERSION } from '../version.ts';
import type { Opening } from './room.ts';

export function openFleet(
  { options, clock, logger }: Opening,
  state: State,
  parts: Pick<FleetOptions, 'serving' | 'store' | 'forwarding' | 'desired'>,
): Promise<NodeFleet> {
  const { modelMemoryBytes } = options;
  return createFleet({ state, clock, version: VERSION, logger, modelMemoryBytes, ...parts });
}

/** The membership of a node in its fleet. */
import type { State } from '@skein/state';
import { createFleet, type FleetOptions, type NodeFleet } from '../fleet/fleet.ts';
import { VERSION } from '../version.ts';
import type { Opening } from './room.ts';

export async function openFleet(
  { lifecycle, clock, logger }: Opening,
  state: State,
  serving: FleetOptions['serving'],
): Promise<NodeFleet> {
  const fleet = await createFleet({ state, clock, version: VERSION, logger, serving });
  lifecycle.open('fleet', () => fleet.close());
  return fleet;
}

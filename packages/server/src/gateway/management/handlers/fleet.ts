import type { ManagementOptions, NodeHandlers } from '../options.ts';

export function fleetHandlers({ fleet }: Pick<ManagementOptions, 'fleet'>) {
  return {
    getFleet: () => fleet.view(),
    listPlacements: () => ({ placements: fleet.placements() }),
    getFleetScale: () => fleet.scale(),
    finaliseFleet: () => fleet.finalise(),
  } satisfies Partial<NodeHandlers>;
}

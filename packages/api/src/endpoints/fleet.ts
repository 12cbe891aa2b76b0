/** The fleet: its members, what they hold, how many there should be, and the end of an upgrade. */
import { z } from 'zod';
import type { NodeEndpoint } from '../endpoint.ts';
import { FleetScale, FleetView, PlacementView } from '../resources/fleet.ts';

export const FLEET_ENDPOINTS = {
  getFleet: {
    method: 'GET',
    path: '/api/v1/fleet',
    summary: 'Show the members of the fleet, and what needs attention.',
    description:
      'A node alone is a fleet of one. While the store is away, the node lists the last known members, and an alert names the outage.',
    scope: 'read',
    response: FleetView,
  },
  listPlacements: {
    method: 'GET',
    path: '/api/v1/fleet/placements',
    summary: 'List the versions that are loaded, with the members that hold them.',
    scope: 'read',
    response: z.object({ placements: z.array(PlacementView) }),
  },
  getFleetScale: {
    method: 'GET',
    path: '/api/v1/fleet/scale',
    summary: 'Show how many members the demand needs, and why.',
    description:
      'Each member computes it from the published load of all members, so you can ask any member. The same numbers are metrics: `skein_fleet_desired_members` and others.',
    scope: 'read',
    response: FleetScale,
  },
  finaliseFleet: {
    method: 'POST',
    path: '/api/v1/fleet/finalise',
    summary: 'End an upgrade: the fleet writes the newest schema that all its members read.',
    description:
      'From then on a node that does not read this schema is refused with STATE_TOO_NEW, so the version before the upgrade can no longer join.',
    scope: 'admin',
    response: z.object({
      schema: z.int().describe('What the fleet writes now.'),
      before: z.int().describe('What it wrote before; the same when there was nothing to end.'),
    }),
    errors: ['STORE_UNREACHABLE'],
  },
} as const satisfies Record<string, NodeEndpoint>;

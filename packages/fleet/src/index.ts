/** Which member of a fleet holds which version, and which one answers a request: policies without I/O. */
export {
  holds,
  place,
  type Placement,
  type PlacementMember,
  type PlacementVersion,
  type Unplaced,
} from './placement/placement.ts';
export {
  leastRecentAgeMs,
  planResidency,
  type Resident,
  type ResidencyPlan,
  type WantedVersion,
} from './placement/residency.ts';
export { afterFailure, CLOSED, isAsked, type Circuit } from './routing/circuit.ts';
export {
  asks,
  nextProbes,
  probeTimeoutMs,
  successAfter,
  takers,
  type Quote,
  type RouteState,
} from './routing/route.ts';

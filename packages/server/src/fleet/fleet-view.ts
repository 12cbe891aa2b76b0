/** The fleet as the API shows it, with what needs attention. Pure. */
import { defined } from '@skein/api/defined';
import {
  type FleetAlert,
  type FleetView,
  MemberForwarding,
  MemberLoad,
  MemberMemory,
  type MemberView,
  type NodeView,
  type PlacementView,
} from '@skein/api';
import type { Member } from '@skein/state';

export interface FleetFacts {
  /** The members that were read last. */
  readonly members: readonly Member[];
  /** The incarnation of this node. */
  readonly self: string;
  readonly epoch: string | null;
  /** The schema that the fleet writes; null while the store is away. */
  readonly schema: number | null;
  /** How this node stands to the store; absent: it is alone. */
  readonly store?: NodeView['store'];
}

/** A lease of 10 s is renewed each second, or each three alone. */
const LATE_MS = 5000;

export function fleetView(facts: FleetFacts): FleetView {
  // All by the store's clock: this machine's may differ.
  const now = Math.max(...facts.members.map(({ renewedAt }) => Date.parse(renewedAt)));
  const members = facts.members.map((member) => memberView(member, facts.self, now));
  const common = commonSchema(facts.members);
  return {
    epoch: facts.epoch,
    schema: { written: facts.schema, common },
    members,
    alerts: [...storeAlerts(facts), ...memberAlerts(members, facts.schema, common)],
  };
}

/** @param now when the last of all members renewed its lease. */
function memberView(member: Member, self: string, now: number): MemberView {
  const { incarnation, name, address, version, memoryBytes, cores, joinedAt, renewedAt } = member;
  const load = loadOf(member);
  const memory = memoryOf(member);
  const forwarding = MemberForwarding.safeParse(member.load?.['forwarding']).data;
  return {
    id: incarnation,
    self: incarnation === self,
    name,
    address,
    version,
    schema: { oldest: member.schema.reads[0], newest: member.schema.reads[1] },
    memoryBytes,
    cores,
    accelerators: [...member.accelerators],
    loaded: member.loaded.map((each) => ({ ...each })),
    ...defined({ load, memory, forwarding }),
    joinedAt,
    renewedAt,
    leaseAgeMs: Math.max(0, now - Date.parse(renewedAt)),
  };
}

/** A member of another version may publish something else. */
export function loadOf(member: Member): MemberLoad | undefined {
  return MemberLoad.safeParse(member.load?.['serving']).data;
}

function memoryOf({ load }: Member): MemberView['memory'] {
  const memory = MemberMemory.safeParse(load?.['memory']).data;
  if (memory === undefined) return undefined;
  const { budgetBytes, heldBytes, leastRecentAgeMs } = memory;
  return { budgetBytes, heldBytes, leastRecentAgeMs };
}

/** The newest schema that all members read. */
function commonSchema(members: readonly Member[]): number | null {
  const newest = Math.min(...members.map(({ schema }) => schema.reads[1]));
  return Number.isFinite(newest) ? newest : null;
}

function storeAlerts({ schema, store }: FleetFacts): FleetAlert[] {
  if (store?.state === 'frozen') {
    return [
      {
        kind: 'frozen',
        text: `The store contradicts the state of this node: ${(store.reason ?? 'it has other contents').replace(/\.$/, '')}. The node serves on as it is and takes nothing from the store.`,
        fix: 'Bring the right store back, or run skein fleet adopt to take this one.',
      },
    ];
  }
  if (schema !== null) return [];
  return [
    {
      kind: 'store-away',
      text: 'The store does not answer; the members are those that were known last, and nothing can be changed.',
      fix: 'Check that Redis is up and reachable from this machine.',
    },
  ];
}

function memberAlerts(
  members: readonly MemberView[],
  written: number | null,
  common: number | null,
): FleetAlert[] {
  const alerts: FleetAlert[] = [];
  for (const { id, name, leaseAgeMs } of members) {
    if (leaseAgeMs <= LATE_MS || written === null) continue;
    alerts.push({
      kind: 'late-member',
      text: `Member ${name} (${id}) renewed its lease ${Math.round(leaseAgeMs / 1000)} s ago.`,
      fix: 'Look at its log and its load; it leaves the fleet when its lease ends.',
    });
  }
  const versions = [...new Set(members.map(({ version }) => version))];
  if (versions.length > 1) {
    alerts.push({
      kind: 'versions',
      text: `The members run ${versions.join(' and ')}: an upgrade is under way.`,
      fix: 'Replace the remaining members, then run skein fleet finalise.',
    });
  } else if (written !== null && common !== null && common > written) {
    alerts.push({
      kind: 'schema',
      text: `The fleet writes schema ${written}, and all members read ${common}.`,
      fix: 'Run skein fleet finalise to end the upgrade; the version before it can then no longer join.',
    });
  }
  return alerts;
}

/** Each loaded version with its members. */
export function placementsOf(members: readonly Member[]): PlacementView[] {
  const placements = new Map<string, { first: PlacementView; holders: PlacementView['members'] }>();
  for (const { incarnation: id, name, loaded } of members) {
    for (const { model, version, digest } of loaded) {
      const key = `${model}/${version}`;
      const known = placements.get(key);
      if (known === undefined) {
        const holders = [{ id, name }];
        const first = { model, version, digest, members: holders, reason: '' };
        placements.set(key, { first, holders });
      } else known.holders.push({ id, name });
    }
  }
  return [...placements.values()]
    .map(({ first, holders }) => ({ ...first, reason: placementReason(holders, members.length) }))
    .sort((a, b) => (a.model === b.model ? order(a.version, b.version) : order(a.model, b.model)));
}

function placementReason({ length }: PlacementView['members'], members: number): string {
  if (members === 1) return 'the only member holds every version that it serves';
  return length === members
    ? 'every member holds it'
    : `${length} of ${members} members hold it; the others load it, could not, or have other models in their memory`;
}

function order(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

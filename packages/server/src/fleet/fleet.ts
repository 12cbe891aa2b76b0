/**
 * The fleet from the place of this node: its membership, its report on itself, and how many
 * members there should be. The rules are in `fleet-view.ts` and in the serving plane.
 */
import { hostname } from 'node:os';
import type {
  FleetScale,
  FleetView,
  MemberForwarding,
  MemberMemory,
  NodeView,
  PlacementView,
} from '@skein/api';
import { usableCores, usableMemoryBytes } from '@skein/api/machine';
import { leastRecentAgeMs } from '@skein/fleet';
import type { Exposition } from '@skein/http';
import { acceleratorsHere } from '@skein/jobs';
import {
  type Clock,
  decideMembers,
  type DesiredDeployment,
  type RolloutPeers,
  type Serving,
  startFleetScaling,
} from '@skein/serving';
import { type MemberInfo, SCHEMA, type State } from '@skein/state';
import { fleetView, loadOf, placementsOf } from './fleet-view.ts';
import { createMembership, type OwnMembership } from './membership.ts';
import { createPlacing, type FleetPlacing, modelMemoryOf } from './placing.ts';
import { rolloutPeers, ROLLOUTS } from './rollout-peers.ts';

/** The fleet's part of the management API. */
export interface FleetControl {
  view(): Promise<FleetView>;
  placements(): PlacementView[];
  scale(): FleetScale;
  /** @throws SkeinError STORE_UNREACHABLE. */
  finalise(): Promise<{ readonly schema: number; readonly before: number }>;
}

export interface NodeFleet extends FleetControl {
  readonly membership: Pick<OwnMembership, 'incarnation' | 'members'>;
  /** The other members, for rollouts. */
  readonly peers: RolloutPeers;
  /** Which deployments this member holds; absent where it holds all of them. */
  readonly placing: FleetPlacing | undefined;
  /** @param address URL at which peers call this node. @throws SkeinError STATE_TOO_NEW. */
  start(address: string): Promise<void>;
  /** The node serves: measures how long its start took. */
  ready(): void;
  expose(into: Exposition): void;
  close(): Promise<void>;
}

export interface FleetOptions {
  readonly state: Pick<State, 'members' | 'position'>;
  readonly clock: Clock;
  readonly version: string;
  readonly logger: { warn(details: object, message: string): void };
  /** How this node stands to the store of its fleet; absent: it is in none. */
  readonly store?: (() => NodeView['store']) | undefined;
  /** Requests that this node has forwarded; absent: it forwards nothing. */
  readonly forwarding?: (() => MemberForwarding | undefined) | undefined;
  /** Memory for models, in bytes. Default: a share of the memory of the machine. */
  readonly modelMemoryBytes?: number | undefined;
  /** Cores that replicas may use. Default: all cores of the machine, or of its container. */
  readonly cores?: number | undefined;
  /** The deployments of a fleet whose members answer for each other; absent: this node holds all of its own. */
  readonly desired?: (() => readonly DesiredDeployment[]) | undefined;
  /** This node's report on itself, once it is asked. */
  readonly serving: () => Pick<Serving, 'load' | 'loaded' | 'rolloutReports' | 'memory'>;
}

const DECIDE_EVERY_MS = 1000;

export async function createFleet(options: FleetOptions): Promise<NodeFleet> {
  const { state, clock, version, logger, serving } = options;
  const fixed = {
    name: hostname(),
    version,
    schema: SCHEMA,
    memoryBytes: usableMemoryBytes(),
    cores: options.cores ?? usableCores(),
    accelerators: await acceleratorsHere(),
  };
  const budgetBytes = options.modelMemoryBytes ?? modelMemoryOf(fixed.memoryBytes);
  const memory = (): MemberMemory => {
    const { residents, measured } = serving().memory();
    return {
      budgetBytes,
      heldBytes: residents.reduce((sum, { bytes }) => sum + bytes, 0),
      leastRecentAgeMs: leastRecentAgeMs(residents, clock.now()),
      measured: Object.fromEntries(measured.map(({ digest, bytes }) => [digest, bytes])),
    };
  };
  let address = '';
  let startMs: number | null = null;
  const info = (): MemberInfo => ({
    ...fixed,
    address,
    loaded: serving().loaded(),
    load: {
      serving: serving().load(startMs),
      [ROLLOUTS]: serving().rolloutReports(),
      memory: memory(),
      forwarding: options.forwarding?.(),
    },
  });
  const membership = createMembership({ state, info, logger });
  const { desired } = options;
  const placing =
    desired &&
    createPlacing({ budgetBytes, membership, memory: () => serving().memory(), desired });
  let scaling = startFleetScaling(1, clock.now());
  let scale: FleetScale | undefined;

  function decide(): FleetScale {
    const members = membership.members.map((member) => ({
      cores: member.cores,
      // This node's own load is newer than its published load.
      load:
        member.incarnation === membership.incarnation ? serving().load(startMs) : loadOf(member),
    }));
    const decision = decideMembers(scaling, members, clock.now());
    scaling = decision.next;
    return decision.scale;
  }
  const timer = setInterval(() => (scale = decide()), DECIDE_EVERY_MS).unref();

  return {
    membership,
    peers: rolloutPeers(membership, placing),
    placing,
    async start(at) {
      address = at;
      await membership.start();
      scaling = startFleetScaling(membership.members.length, clock.now());
    },
    ready() {
      startMs = performance.now();
    },
    async view() {
      const [members, schema, position] = await Promise.all([
        membership.read().catch(() => membership.members),
        state.members.schema().catch(() => null),
        state.position().catch(() => undefined),
      ]);
      const epoch = position?.epoch ?? null;
      const self = membership.incarnation;
      const store = options.store?.();
      return fleetView({ members, self, epoch, schema, store });
    },
    placements: () => placementsOf(membership.members),
    scale: () => (scale ??= decide()),
    async finalise() {
      const before = await state.members.schema();
      return { schema: await state.members.finalise(), before };
    },
    expose(into) {
      scale ??= decide();
      const { heldBytes, leastRecentAgeMs: age } = memory();
      const gauges = [
        ['skein_model_memory_bytes', 'Memory that the loaded models take, as measured.', heldBytes],
        ['skein_model_memory_budget_bytes', 'Memory for models on this node.', budgetBytes],
        [
          'skein_model_least_recent_seconds',
          'How long the least recently used model has not been used; a short time means that memory is short.',
          age / 1000,
        ],
        ['skein_fleet_members', 'Members with a live lease.', scale.members],
        [
          'skein_fleet_desired_members',
          'Members that the demand needs; every member shows it, so take the maximum.',
          scale.desiredMembers,
        ],
        [
          'skein_fleet_demand_cores',
          'Cores that the requests of the last second would keep busy, over all members.',
          scale.demandCores,
        ],
        ['skein_fleet_cores', 'Cores of all members.', scale.cores],
        ['skein_fleet_shed_per_second', 'Requests refused for load.', scale.shedPerSecond],
        [
          'skein_fleet_delay_share',
          'Mean over the members of their longest predicted wait, as a share of its objective.',
          scale.delayShare,
        ],
        [
          'skein_fleet_cold_start_seconds',
          'The longest measured start of a member; NaN while unknown.',
          scale.coldStartMs === null ? Number.NaN : scale.coldStartMs / 1000,
        ],
      ] as const;
      for (const [name, help, value] of gauges) {
        into.family(name, 'gauge', help);
        into.sample('', value);
      }
    },
    async close() {
      clearInterval(timer);
      await membership.close();
    },
  };
}

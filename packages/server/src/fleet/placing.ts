/**
 * The deployments that this member holds, and the member that carries out a change of one, from the records
 * of the members. The policy is in `packages/fleet`; this gives it its input.
 */
import { type DeploymentSettingsPatch, MemberMemory, SkeinError } from '@skein/api';
import { formatBytes } from '@skein/api/units';
import {
  decideHoldings,
  memoryOf,
  type MemberHoldings,
  unplacedNumbers,
  type PlacedDeployment,
  placeDeployments,
  evictionFor,
} from '@skein/fleet';
import {
  type DesiredDeployment,
  expectedBytes,
  type MemoryUse,
  type Place,
  type Placing,
  type ResidentDeployment,
} from '@skein/serving';
import type { Member, VersionRecord } from '@skein/state';
import { isHandedOver } from './hand-over.ts';
import type { OwnMembership } from './membership.ts';

/** Share of the memory of the machine or its container; the node, its requests and its jobs need the rest. */
const SHARE_FOR_MODELS = 0.75;

export interface FleetPlacing extends Placing {
  /**
   * The member that loads a version first: one that the deployment is placed on with it.
   * @param isHere whether this one serves the deployment.
   * @param lost members that were asked before and were lost; their leases may not have ended yet.
   * @throws SkeinError FLEET_MEMORY when no member has memory for it, with the numbers;
   *   STORE_UNREACHABLE.
   */
  takerOf(
    record: VersionRecord,
    settings: DeploymentSettingsPatch | undefined,
    isHere: boolean,
    lost?: ReadonlySet<string>,
  ): Promise<string>;
  /** Whether the fleet has stored that a version takes traffic, or is rolled out. */
  isStored(deployment: string, version: string): boolean;
  /** Members that are to hold a deployment; undefined: all of them. */
  placed(deployment: string): ReadonlySet<string> | undefined;
}

export interface PlacingOptions {
  /** Memory for models on this node, in bytes. */
  readonly budgetBytes: number;
  readonly membership: Pick<OwnMembership, 'incarnation' | 'members' | 'read' | 'publish'>;
  readonly memory: () => MemoryUse;
  /** The deployments of the fleet. */
  readonly desired: () => readonly DesiredDeployment[];
}

/** Memory for models of a machine with so much. */
export function modelMemoryOf(memoryBytes: number): number {
  return Math.floor(SHARE_FOR_MODELS * memoryBytes);
}

export function createPlacing(options: PlacingOptions): FleetPlacing {
  const { budgetBytes, membership, memory, desired } = options;

  /** This member as it is now, and the others as they have published. */
  function holdings(
    residents: readonly ResidentDeployment[] = memory().residents,
  ): MemberHoldings[] {
    const self = membership.incarnation;
    const measured = Object.fromEntries(
      memory().measured.map(({ digest, bytes }) => [digest, bytes]),
    );
    const own = { id: self, budgetBytes, measured, held: new Set(residents.map(({ id }) => id)) };
    const others = membership.members.filter(({ incarnation }) => incarnation !== self);
    return [own, ...others.map(holdingsOf)];
  }

  return {
    budgetBytes,
    decide(wanted, residents, now): ReadonlyMap<string, Place> {
      const members = holdings(residents);
      const self = membership.incarnation;
      return decideHoldings(self, members, wanted.map(placedOf), residents, now);
    },
    evictionFor(name, residents, now) {
      const members = holdings(residents);
      const self = membership.incarnation;
      // A coming version takes its memory in the placement too: the others make place for what is here now.
      const others = loadable(desired()).filter(({ row }) => row.name !== name);
      const expected = bytesOf(name, residents);
      const coming = { digest: `coming of ${name}`, expectedBytes: expected };
      const deployments = [...others.map(placedOf), { id: name, versions: [coming], replicas: 1 }];
      const decided = decideHoldings(self, members, deployments, residents, now);
      const { unload, isEnough, isComing } = evictionFor(name, residents, budgetBytes, decided);
      if (!isEnough) throw full(name, residents, budgetBytes, isComing);
      return new Map(
        unload.map((victim): [string, Place] => {
          const reason = `its memory is for "${name}" here; other members hold it`;
          return [victim, { isHere: false, others: decided.get(victim)!.others, reason }];
        }),
      );
    },
    async takerOf(record, settings, isHere, lost = new Set()) {
      // A member that has just joined may have the memory.
      await membership.read();
      const { model } = record;
      const others = loadable(desired()).filter(({ row }) => row.name !== model);
      const current = desired().find(({ row }) => row.name === model);
      const deployments = [...others.map(placedOf), comingOf(record, settings, current)];
      const members = holdings().filter(({ id }) => !lost.has(id));
      const placement = placeDeployments(members, memoryOf(deployments, members));
      const unplaced = placement?.unplaced.find(({ version }) => version === model);
      if (unplaced !== undefined) {
        const message = `"${model}" fits on no member: ${unplacedNumbers(unplaced)}.`;
        throw new SkeinError('FLEET_MEMORY', message);
      }
      const placed = placement?.members.get(model) ?? members.map(({ id }) => id);
      const holders = members.filter(({ id, held }) =>
        id === membership.incarnation ? isHere : held.has(model),
      );
      return carrierAmong(
        membership.incarnation,
        placed,
        holders.map(({ id }) => id),
      );
    },
    isStored(deployment, version) {
      const row = desired().find((each) => each.row.name === deployment)?.row;
      const { rollout, targets = [] } = row ?? {};
      const isRolling = rollout?.to === version && isInProgress(rollout);
      return isRolling || targets.some((target) => target.version === version);
    },
    isHandedOver(deployment, versions, closing) {
      // A version that takes no traffic any more is not missed.
      const targets = desired().find(({ row }) => row.name === deployment)?.row.targets ?? [];
      const wanted = versions.filter((each) => targets.some(({ version }) => version === each));
      return isHandedOver(membership, deployment, wanted, closing);
    },
    placed(deployment) {
      const members = holdings();
      const needs = memoryOf(loadable(desired()).map(placedOf), members);
      const takers = placeDeployments(members, needs)?.members.get(deployment);
      return takers && new Set(takers);
    },
  };
}

function holdingsOf({ incarnation, memoryBytes, loaded, load }: Member): MemberHoldings {
  // A member of another version may publish something else.
  const memory = MemberMemory.safeParse(load?.['memory']).data;
  return {
    id: incarnation,
    budgetBytes: memory?.budgetBytes ?? modelMemoryOf(memoryBytes),
    measured: memory?.measured ?? {},
    held: new Set(loaded.map(({ model }) => model)),
  };
}

/** An unloaded deployment takes no memory. */
function loadable(desired: readonly DesiredDeployment[]): DesiredDeployment[] {
  return desired.filter(({ row }) => row.unloaded !== true);
}

function placedOf({ row, versions }: DesiredDeployment): PlacedDeployment {
  const targets = versions
    .filter(({ version }) => row.targets.some((target) => target.version === version))
    .map((record) => ({
      digest: record.digest,
      expectedBytes: expectedBytes(record, row.settings),
    }));
  const { rollout } = row;
  const isRolling = rollout !== undefined && isInProgress(rollout);
  // The version that comes is about as large as the one that serves.
  const largest = Math.max(0, ...targets.map((target) => target.expectedBytes));
  const coming = isRolling ? [{ digest: `rollout of ${row.name}`, expectedBytes: largest }] : [];
  const replicas = row.settings.replicas?.min ?? 1;
  return { id: row.name, versions: [...targets, ...coming], replicas };
}

/** Whether a rollout is still in progress. */
export function isInProgress({ phase }: { readonly phase: string }): boolean {
  return !['finished', 'rolled-back'].includes(phase);
}

/** A deployment with a version that comes, next to the ones that serve until it does. */
function comingOf(
  record: VersionRecord,
  settings: DeploymentSettingsPatch | undefined,
  current: DesiredDeployment | undefined,
): PlacedDeployment {
  const before = current === undefined ? [] : loadable([current]).map(placedOf);
  const serving = before.flatMap(({ versions }) => versions);
  const isolation = settings?.isolation ?? current?.row.settings.isolation;
  const version = { digest: record.digest, expectedBytes: expectedBytes(record, { isolation }) };
  const replicas = settings?.replicas?.min ?? before[0]?.replicas ?? 1;
  const isServing = serving.some(({ digest }) => digest === record.digest);
  return { id: record.model, versions: isServing ? serving : [...serving, version], replicas };
}

/** @param placed members that the deployment is placed on, the preferred one first. */
function carrierAmong(self: string, placed: readonly string[], holders: readonly string[]): string {
  const preferred = [
    placed.filter((id) => holders.includes(id)),
    // A deployment that no member holds where it is placed is changed by one that serves it.
    holders,
    placed,
  ].find(({ length }) => length > 0)!;
  return preferred.includes(self) ? self : preferred[0]!;
}

function bytesOf(name: string, residents: readonly ResidentDeployment[]): number {
  return residents.find(({ id }) => id === name)?.bytes ?? 0;
}

/** @param isComing whether other members are to hold enough of it soon. */
function full(
  name: string,
  residents: readonly ResidentDeployment[],
  budgetBytes: number,
  isComing: boolean,
): SkeinError {
  const bytes = bytesOf(name, residents);
  const held = residents.reduce((sum, resident) => sum + resident.bytes, 0) - bytes;
  const message = `"${name}" takes ${formatBytes(bytes)} of memory here: this member has ${formatBytes(budgetBytes)} for models, and ${formatBytes(held)} are in use by models that no other member holds.`;
  return new SkeinError('FLEET_MEMORY', message, isComing ? { retryAfterMs: 1000 } : {});
}

/**
 * The devices of a node or fleet, as declarations of the state: their invitations, their keys, their last reports. A
 * fleet shares them as it shares its other declarations.
 *
 * An invitation has places, and a device is stored under its place. A declaration is added only where none is, so two
 * devices never take the same place, and a process that is killed leaves no place half taken. A removed device keeps its
 * place as long as the invitation may still be used: it must not come back through the same link.
 */
import type { DeviceLabels, DeviceReport } from '@skein/api';
import { defined } from '@skein/api/defined';
import { SkeinError } from '@skein/api/errors';
import type { State } from '../contract.ts';
import type { DeclarationRecord } from '../records.ts';

const INVITATION = 'edge-invitation';
const DEVICE = 'edge-device';
const REPORT = 'edge-report';
const ROLLOUT = 'edge-rollout';

/** Each list reads all of them, about 2 KB each. */
export const MOST_DEVICES = 1000;
const MOST_INVITATIONS = 200;
const MOST_ROLLOUTS = 200;

export interface StoredInvitation {
  readonly id: string;
  readonly name: string;
  readonly labels: DeviceLabels;
  /** SHA-256 of the secret, in hex. */
  readonly secretHash: string;
  readonly uses: number;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

export interface StoredDevice {
  readonly id: string;
  readonly name: string;
  readonly labels: DeviceLabels;
  readonly key: string;
  readonly invitation: string;
  /** Counts from 1. */
  readonly place: number;
  readonly enrolledAt: string;
  /** Present: it may not report, nor enrol again by the same invitation. */
  readonly removedAt?: string | undefined;
}

export interface StoredReport {
  readonly device: string;
  readonly sequence: number;
  /** Milliseconds since 1970, by the clock of the node. */
  readonly receivedAt: number;
  readonly report: Omit<DeviceReport, 'counts'>;
  /** Since the rollout of its bundle began. */
  readonly evidence?: DeviceEvidence | undefined;
}

interface Counts {
  readonly requests: number;
  readonly errors: number;
  readonly late: number;
  readonly odd: number;
}

/** The answers of one device during a rollout: by its version, and by the versions before. */
export interface DeviceEvidence {
  /** Id of the rollout. */
  readonly rollout: string;
  /** Whether the version had failed on the device before. */
  readonly excused: boolean;
  readonly candidate: Counts;
  readonly stable: Counts;
  readonly latency: { readonly candidate: readonly number[]; readonly stable: readonly number[] };
}

/** Which devices may install a version of a bundle. One per bundle. */
export interface StoredDeviceRollout {
  /** Another one for each version, and after each halt: evidence counts for one id. */
  readonly id: string;
  readonly model: string;
  readonly version: number;
  /** Percent of the devices that have the labels. */
  readonly share: number;
  readonly labels: DeviceLabels;
  readonly minRequests: number;
  readonly maxErrorShare: number;
  readonly objectiveMs?: number | undefined;
  readonly phase: 'running' | 'halted';
  readonly reason: string;
  readonly startedAt: string;
}

export interface DevicesRead {
  readonly invitations: ReadonlyMap<string, StoredInvitation>;
  /** By id, with removed ones. */
  readonly devices: ReadonlyMap<string, StoredDevice>;
  /** By the id of their device. */
  readonly reports: ReadonlyMap<string, StoredReport>;
  /** By the name of their bundle. */
  readonly rollouts: ReadonlyMap<string, StoredDeviceRollout>;
}

export interface Devices {
  read(): Promise<DevicesRead>;
  /** Invitations that have ended go. @throws SkeinError DEVICES_TOO_MANY. */
  invite(invitation: StoredInvitation, now: number): Promise<void>;
  /**
   * Takes the next free place of an invitation.
   * @returns undefined when all are taken. @throws SkeinError DEVICES_TOO_MANY.
   */
  enrol(
    invitation: StoredInvitation,
    device: Pick<StoredDevice, 'id' | 'key' | 'enrolledAt'>,
  ): Promise<StoredDevice | undefined>;
  putReport(report: StoredReport): Promise<void>;
  remove(device: StoredDevice, now: number): Promise<void>;
  /** @throws SkeinError DEVICES_TOO_MANY. */
  putRollout(rollout: StoredDeviceRollout): Promise<void>;
  removeRollout(model: string): Promise<void>;
}

export function createDevices(
  state: Pick<State, 'declarations' | 'putDeclaration' | 'addDeclaration' | 'removeDeclaration'>,
): Devices {
  async function read(): Promise<DevicesRead> {
    const records = await state.declarations();
    const of = <T>(wanted: string): T[] =>
      records.filter(({ kind }) => kind === wanted).map(({ value }) => value as T);
    return {
      invitations: new Map(of<StoredInvitation>(INVITATION).map((each) => [each.id, each])),
      devices: new Map(of<StoredDevice>(DEVICE).map((each) => [each.id, each])),
      reports: new Map(of<StoredReport>(REPORT).map((each) => [each.device, each])),
      rollouts: new Map(of<StoredDeviceRollout>(ROLLOUT).map((each) => [each.model, each])),
    };
  }

  return {
    read,
    async invite(invitation, now) {
      const { invitations, devices } = await read();
      const ended = [...invitations.values()].filter(({ expiresAt }) => expiresAt <= now);
      for (const { id } of ended) await state.removeDeclaration(INVITATION, id);
      const gone = new Set(ended.map(({ id }) => id));
      for (const device of devices.values()) {
        if (device.removedAt !== undefined && gone.has(device.invitation)) {
          await state.removeDeclaration(DEVICE, placeName(device));
        }
      }
      if (invitations.size - ended.length >= MOST_INVITATIONS) {
        throw tooMany(`${MOST_INVITATIONS} invitations are open`);
      }
      await state.putDeclaration(record(INVITATION, invitation.id, invitation));
    },
    async enrol({ id: invitation, name, labels, uses }, given) {
      const { devices } = await read();
      if (devices.size >= MOST_DEVICES) throw tooMany(`There are ${MOST_DEVICES} devices`);
      const places = [...devices.values()].filter((each) => each.invitation === invitation);
      const taken = new Set(places.map(({ place }) => place));
      for (let place = 1; place <= uses; place++) {
        if (taken.has(place)) continue;
        const called = uses === 1 ? name : `${name} ${place}`;
        const device: StoredDevice = { ...given, name: called, labels, invitation, place };
        if (await state.addDeclaration(record(DEVICE, placeName(device), device))) return device;
      }
      return undefined;
    },
    putReport: (report) => state.putDeclaration(record(REPORT, report.device, report)),
    async putRollout(rollout) {
      const { rollouts } = await read();
      if (!rollouts.has(rollout.model) && rollouts.size >= MOST_ROLLOUTS) {
        throw tooMany(`There are rollouts of ${MOST_ROLLOUTS} bundles`);
      }
      await state.putDeclaration(record(ROLLOUT, rollout.model, rollout));
    },
    async removeRollout(model) {
      await state.removeDeclaration(ROLLOUT, model);
    },
    async remove(device, now) {
      const { invitations } = await read();
      const invitation = invitations.get(device.invitation);
      await state.removeDeclaration(REPORT, device.id);
      if (invitation === undefined || invitation.expiresAt <= now) {
        await state.removeDeclaration(DEVICE, placeName(device));
        return;
      }
      const removed = { ...device, removedAt: new Date(now).toISOString() };
      await state.putDeclaration(record(DEVICE, placeName(device), removed));
    },
  };
}

const placeName = ({ invitation, place }: StoredDevice): string => `${invitation}/${place}`;

function record(kind: string, name: string, value: object): DeclarationRecord {
  return { kind, name, value: { ...defined(value) }, updatedAt: new Date().toISOString() };
}

function tooMany(what: string): SkeinError {
  return new SkeinError('DEVICES_TOO_MANY', `${what}, and no more are kept.`);
}

/**
 * The devices of a node: enrolment by invitation, and signed reports at a bounded rate.
 *
 * A device proves itself by its own key, in each call. A report is refused unless the key that was enrolled has signed
 * it, and unless its sequence counts on: a recorded one cannot be sent again. The same sequence is answered again, because
 * the answer may have been lost.
 */
import type { DeviceReport, DeviceView, SignedDeviceReport } from '@skein/api';
import {
  deviceIdOf,
  deviceInvitationText,
  enrolmentBytes,
  hashOfDeviceSecret,
  reportBytes,
} from '@skein/api/devices';
import { SkeinError } from '@skein/api/errors';
import { isSignatureOf, randomHex } from '@skein/api/signing-key';
import type { Devices, DevicesRead, StoredDevice, StoredReport } from '@skein/state';
import type { z } from 'zod';

/** The same as for a site of a federation. */
const INVITATION_MS = 7 * 86_400_000;
/** Interval of the reports of a device: short against the minutes of an operator, long against the energy of a send. */
const EVERY_MS = 30_000;
/** Reports that the devices may send together in a second: each is a durable write. */
const REPORTS_PER_SECOND = 20;
const LEAST_GAP_MS = 1000;
/** Reports that a device may miss before it counts as silent. */
const MISSED = 3;
/** Age at which the records are read again, because another node may have changed them. */
const STALE_MS = 1000;

export interface DeviceRegistryOptions {
  readonly devices: Devices;
  readonly now?: (() => number) | undefined;
}

export type DeviceRegistry = ReturnType<typeof createDeviceRegistry>;

export interface Invited {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly uses: number;
  readonly validMs?: number | undefined;
}

export function createDeviceRegistry({ devices, now = Date.now }: DeviceRegistryOptions) {
  let known: (DevicesRead & { readonly readAt: number }) | undefined;

  async function fresh(): Promise<DevicesRead> {
    const readAt = now();
    known = { ...(await devices.read()), readAt };
    return known;
  }
  const recent = async (): Promise<DevicesRead> =>
    known === undefined || now() - known.readAt > STALE_MS ? fresh() : known;

  /** @throws SkeinError DEVICE_UNKNOWN. */
  async function deviceOf(id: string): Promise<StoredDevice> {
    const found = (await recent()).devices.get(id) ?? (await fresh()).devices.get(id);
    if (found === undefined || found.removedAt !== undefined) {
      throw new SkeinError('DEVICE_UNKNOWN', `There is no device "${id}".`);
    }
    return found;
  }

  const gapMs = (count: number): number =>
    Math.max(LEAST_GAP_MS, Math.ceil((count * 1000) / REPORTS_PER_SECOND));
  const everyMs = (count: number): number => Math.max(EVERY_MS, MISSED * gapMs(count));

  function viewOf(
    device: StoredDevice,
    stored: StoredReport | undefined,
    count: number,
  ): DeviceView {
    const { id, name, labels, key, enrolledAt } = device;
    const isSilent = stored !== undefined && now() - stored.receivedAt > MISSED * everyMs(count);
    return {
      id,
      name,
      labels,
      key,
      state: stored === undefined ? 'enrolled' : isSilent ? 'silent' : 'reporting',
      enrolledAt,
      reportedAt: stored === undefined ? null : new Date(stored.receivedAt).toISOString(),
      report: stored?.report ?? null,
      permission: null,
    };
  }

  return {
    async invite({ name, labels, uses, validMs = INVITATION_MS }: Invited): Promise<string> {
      const [id, secret] = [randomHex(8), randomHex(32)];
      const secretHash = await hashOfDeviceSecret(secret);
      const expiresAt = now() + validMs;
      await devices.invite({ id, name, labels, secretHash, uses, expiresAt }, now());
      return deviceInvitationText({ id, secret });
    },

    /** @throws SkeinError INVITATION_INVALID, DEVICE_UNPROVEN, DEVICES_TOO_MANY. */
    async enrol(given: { invitation: string; key: string; signature: string }) {
      const [invitationId, secret] = given.invitation.split('.') as [string, string];
      const { key, signature } = given;
      if (!(await isSignatureOf(key, enrolmentBytes(invitationId, key), signature))) {
        throw unproven(`The signature is not by the key ${key.slice(0, 16)}….`);
      }
      const read = await fresh();
      const invitation = read.invitations.get(invitationId);
      const hash = await hashOfDeviceSecret(secret);
      const id = await deviceIdOf(key);
      const before = read.devices.get(id);
      const isOpen = invitation?.secretHash === hash && invitation.expiresAt > now();
      if (!isOpen || before?.removedAt !== undefined) throw invalid();
      const device =
        before ??
        (await devices.enrol(invitation, { id, key, enrolledAt: new Date(now()).toISOString() }));
      if (device === undefined) throw invalid();
      const { devices: all } = await fresh();
      return { id, name: device.name, labels: device.labels, everyMs: everyMs(all.size) };
    },

    /** @throws SkeinError DEVICE_UNKNOWN, DEVICE_UNPROVEN, RATE_LIMITED. */
    async report(id: string, given: z.output<typeof SignedDeviceReport>) {
      const { sequence, report, signature } = given;
      const device = await deviceOf(id);
      const { reports, devices: all } = await recent();
      const before = reports.get(id);
      const gap = gapMs(all.size);
      const sinceMs = now() - (before?.receivedAt ?? -Infinity);
      const isAgain = sequence === before?.sequence;
      if (!isAgain && sinceMs >= 0 && sinceMs < gap) {
        throw new SkeinError('RATE_LIMITED', `A device may report every ${gap} ms.`, {
          retryAfterMs: gap - sinceMs,
        });
      }
      if (!(await isSignatureOf(device.key, reportBytes(id, sequence, report), signature))) {
        throw unproven(`The report is not signed by the key of the device ${id}.`);
      }
      if (before !== undefined && sequence < before.sequence) {
        throw unproven(`The report ${sequence} is older than ${before.sequence}, which is stored.`);
      }
      if (!isAgain) await store({ device: id, sequence, receivedAt: now(), report: shown(report) });
      return { everyMs: everyMs(all.size), permission: null };
    },

    async list(): Promise<DeviceView[]> {
      const { devices: all, reports } = await fresh();
      return [...all.values()]
        .filter(({ removedAt }) => removedAt === undefined)
        .map((each) => viewOf(each, reports.get(each.id), all.size))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1));
    },

    async show(id: string): Promise<DeviceView> {
      await fresh();
      const device = await deviceOf(id);
      const { reports, devices: all } = await recent();
      return viewOf(device, reports.get(id), all.size);
    },

    async remove(id: string): Promise<void> {
      await devices.remove(await deviceOf(id), now());
      known = undefined;
    },
  };

  async function store(stored: StoredReport): Promise<void> {
    await devices.putReport(stored);
    // Seen at once by this node: the gap between two reports must hold here.
    if (known === undefined) return;
    known = { ...known, reports: new Map(known.reports).set(stored.device, stored) };
  }
}

function shown(report: DeviceReport): StoredReport['report'] {
  const { counts: _, ...rest } = report;
  return rest;
}

const unproven = (message: string): SkeinError => new SkeinError('DEVICE_UNPROVEN', message);

/** The same message for all causes: a guess must not learn which part was right. */
const invalid = (): SkeinError =>
  new SkeinError('INVITATION_INVALID', 'The invitation is unknown, has ended, or was used.');

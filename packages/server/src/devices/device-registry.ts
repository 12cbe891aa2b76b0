/**
 * The devices of a node: enrolment by invitation, and signed reports at a bounded rate.
 *
 * A device proves itself by its own key, in each call. A report is refused unless the key that was enrolled has signed
 * it, and unless its sequence counts on: a recorded one cannot be sent again. The same sequence is answered again, because
 * the answer may have been lost.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  DevicePermission,
  DeviceReport,
  DeviceRolloutView,
  DeviceView,
  SignedDeviceReport,
  StartDeviceRollout,
} from '@skein/api';
import {
  deviceIdOf,
  deviceInvitationText,
  enrolmentBytes,
  hashOfDeviceSecret,
  reportBytes,
} from '@skein/api/devices';
import { SkeinError } from '@skein/api/errors';
import { isSignatureOf, randomHex } from '@skein/api/signing-key';
import type {
  Devices,
  DevicesRead,
  State,
  StoredDevice,
  StoredDeviceRollout,
  StoredReport,
} from '@skein/state';
import type { z } from 'zod';
import {
  gathered,
  isIncluded,
  judgeDevices,
  permissionOf,
  type SeenDevice,
} from './rollout-policy.ts';

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
/** A change of a rollout takes milliseconds; one whose process died blocks the next one for this time. */
const LEASE_MS = 3000;
const RETRY_MS = 50;

export interface DeviceRegistryOptions {
  readonly devices: Devices;
  /** Orders the changes of a rollout over the whole fleet. */
  readonly leases: State['leases'];
  readonly now?: (() => number) | undefined;
}

export type DeviceRegistry = ReturnType<typeof createDeviceRegistry>;

export interface Invited {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly uses: number;
  readonly validMs?: number | undefined;
}

export function createDeviceRegistry({ devices, leases, now = Date.now }: DeviceRegistryOptions) {
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

  function permission(read: DevicesRead, device: StoredDevice, model: string | undefined) {
    const rollout = model === undefined ? undefined : read.rollouts.get(model);
    return rollout === undefined ? null : permissionOf(rollout, device);
  }

  /** The devices of a bundle that have reported. */
  function seenOf(read: DevicesRead, model: string): SeenDevice[] {
    return [...read.reports.values()].flatMap(({ device: id, report, evidence }) => {
      const device = read.devices.get(id);
      if (report.model !== model || device === undefined || device.removedAt !== undefined)
        return [];
      return [{ device, report, evidence }];
    });
  }

  function rolloutView(read: DevicesRead, rollout: StoredDeviceRollout): DeviceRolloutView {
    const { model, version, share, labels, phase, reason, startedAt } = rollout;
    const seen = seenOf(read, model);
    const verdict = judgeDevices(rollout, seen);
    const side = ({ requests, errors, late }: typeof verdict.candidate, p99Ms: number | null) => ({
      requests,
      errors,
      late,
      p99Ms,
    });
    return {
      model,
      version,
      share,
      labels,
      phase,
      reason,
      startedAt,
      devices: {
        reporting: seen.length,
        included: seen.filter(({ device }) => isIncluded(rollout, device)).length,
        installed: verdict.installed,
        failed: verdict.failed,
      },
      opinion: verdict.opinion,
      verdict: verdict.reason,
      candidate: side(verdict.candidate, verdict.candidateP99Ms),
      stable: side(verdict.stable, verdict.stableP99Ms),
    };
  }

  /** Changes a rollout under its lease. @throws SkeinError ROLLOUT_IN_PROGRESS while another call changes it. */
  async function change<T>(model: string, work: (read: DevicesRead) => Promise<T>): Promise<T> {
    const holder = randomUUID();
    for (let waitedMs = 0; waitedMs <= 2 * LEASE_MS; waitedMs += RETRY_MS) {
      const lease = await leases.acquire(`edge-rollout/${model}`, holder, LEASE_MS);
      if (lease === undefined) {
        await sleep(RETRY_MS);
        continue;
      }
      try {
        return await work(await fresh());
      } finally {
        known = undefined;
        await lease.release().catch(() => undefined);
      }
    }
    const text = `The rollout of ${model} has been changed by another call for ${2 * LEASE_MS} ms.`;
    throw new SkeinError('ROLLOUT_IN_PROGRESS', text);
  }

  /** @throws SkeinError DEVICE_ROLLOUT_UNKNOWN. */
  function rolloutOf(read: DevicesRead, model: string): StoredDeviceRollout {
    const found = read.rollouts.get(model);
    if (found !== undefined) return found;
    throw new SkeinError('DEVICE_ROLLOUT_UNKNOWN', `There is no rollout of the bundle ${model}.`);
  }

  /** Halts a rollout whose evidence is bad. */
  async function look(read: DevicesRead, rollout: StoredDeviceRollout): Promise<void> {
    if (rollout.phase !== 'running') return;
    if (judgeDevices(rollout, seenOf(read, rollout.model)).opinion !== 'bad') return;
    await change(rollout.model, async (now) => {
      const current = now.rollouts.get(rollout.model);
      if (current?.id !== rollout.id || current.phase !== 'running') return;
      const verdict = judgeDevices(current, seenOf(now, current.model));
      if (verdict.opinion !== 'bad') return;
      await devices.putRollout({ ...current, phase: 'halted', reason: verdict.reason });
    });
  }

  async function steer(
    model: string,
    next: (rollout: StoredDeviceRollout) => StoredDeviceRollout,
  ): Promise<DeviceRolloutView> {
    return change(model, async (read) => {
      const rollout = next(rolloutOf(read, model));
      await devices.putRollout(rollout);
      return rolloutView(read, rollout);
    });
  }

  function viewOf(
    device: StoredDevice,
    stored: StoredReport | undefined,
    count: number,
    allowed: DevicePermission | null,
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
      permission: allowed,
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
      const read = await recent();
      const { reports, devices: all } = read;
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
      const rollout = read.rollouts.get(report.model);
      if (!isAgain) {
        const evidence = rollout && gathered(before?.evidence, rollout, before?.report, report);
        const stored = { device: id, sequence, receivedAt: now(), report: shown(report), evidence };
        await store(stored);
        const after = { ...read, reports: new Map(reports).set(id, stored) };
        if (rollout !== undefined) await look(after, rollout);
      }
      const allowed = permission(await recent(), device, report.model);
      return { everyMs: everyMs(all.size), permission: allowed };
    },

    async list(): Promise<{ devices: DeviceView[]; rollouts: DeviceRolloutView[] }> {
      const read = await fresh();
      const present = [...read.devices.values()].filter(({ removedAt }) => removedAt === undefined);
      const views = present.map((each) => shownDevice(read, each));
      return {
        devices: views.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
        rollouts: [...read.rollouts.values()].map((each) => rolloutView(read, each)),
      };
    },

    async show(id: string): Promise<DeviceView> {
      await fresh();
      const device = await deviceOf(id);
      return shownDevice(await recent(), device);
    },

    /** A version that is rolled out already keeps its evidence. */
    async rollOut(model: string, given: z.output<typeof StartDeviceRollout>) {
      return change(model, async (read) => {
        const before = read.rollouts.get(model);
        const isSame = before?.version === given.version && before.phase === 'running';
        const rollout: StoredDeviceRollout = {
          ...given,
          id: isSame ? before.id : randomUUID(),
          model,
          phase: 'running',
          reason: `version ${given.version} is for ${given.share} % of the devices`,
          startedAt: isSame ? before.startedAt : new Date(now()).toISOString(),
        };
        await devices.putRollout(rollout);
        return rolloutView(read, rollout);
      });
    },
    /** @throws SkeinError DEVICE_ROLLOUT_UNKNOWN. */
    halt: (model: string, reason: string) =>
      steer(model, (rollout) => ({
        ...rollout,
        phase: 'halted',
        reason: reason === '' ? 'by the operator' : reason,
      })),
    /** @throws SkeinError DEVICE_ROLLOUT_UNKNOWN. */
    resume: (model: string, reason: string) =>
      steer(model, (rollout) => ({
        ...rollout,
        id: randomUUID(),
        phase: 'running',
        reason: reason === '' ? 'resumed by the operator' : reason,
      })),
    /** @throws SkeinError DEVICE_ROLLOUT_UNKNOWN. */
    endRollout: (model: string): Promise<void> =>
      change(model, async (read) => {
        rolloutOf(read, model);
        await devices.removeRollout(model);
      }),

    async remove(id: string): Promise<void> {
      await devices.remove(await deviceOf(id), now());
      known = undefined;
    },
  };

  function shownDevice(read: DevicesRead, device: StoredDevice): DeviceView {
    const stored = read.reports.get(device.id);
    const allowed = permission(read, device, stored?.report.model);
    return viewOf(device, stored, read.devices.size, allowed);
  }

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

/** Devices of a node over its real API: enrolment, signed reports, and what a forger gets. */
import { createClient, type DeviceReport } from '@skein/api';
import { deviceIdOf, deviceInvitationOf, enrolmentBytes, reportBytes } from '@skein/api/devices';
import { toHex } from '@skein/api/canonical';
import { createSigningKey, type SigningKey } from '@skein/api/signing-key';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startManagement, type TestNode } from '../gateway/management/testing/start-management.ts';

const code = (expected: string): unknown => expect.objectContaining({ code: expected });

const REPORT: DeviceReport = {
  model: 'risk',
  version: 1,
  digest: 'd'.repeat(64),
  trial: false,
  published: 2,
  failed: [{ version: 2, reason: 'its golden vectors differ' }],
  latency: { p50Ms: 1, p90Ms: 2, p99Ms: 3, runs: 50 },
  answers: { local: 50, remote: 1, hedged: 0, refused: 0 },
  energyProxies: { cpuSeconds: 0.05, bytesReceived: 9000, bytesSent: 16 },
  last: { where: 'local', why: 'the device is fast enough', at: '2030-01-01T00:00:00.000Z' },
  counts: [{ version: 1, requests: 50, errors: 0, late: 0, latency: [60, 50] }],
};

let node: TestNode;
let now: number;
beforeEach(async () => {
  now = Date.now();
  node = await startManagement({ access: 'keys', now: () => now });
});
afterEach(() => node.close());

/** Calls of the operator; the device has no key of the API. */
async function operator() {
  const { secret } = await node.keys.create({ label: 'op', tenant: 'op', scopes: ['admin'] });
  return createClient({ url: node.url, key: secret });
}
const device = () => createClient({ url: node.url });

async function enrol(key: SigningKey, invitation: string, signer: SigningKey = key) {
  const { id, proof } = deviceInvitationOf(`${node.url}/#${invitation}`);
  const signature = toHex(await signer.signBytes(enrolmentBytes(id, key.key)));
  return device().enrolDevice({ invitation: proof, key: key.key, signature });
}

async function send(
  id: string,
  sequence: number,
  {
    signer,
    report = REPORT,
    signed = report,
  }: {
    signer: SigningKey;
    report?: DeviceReport;
    signed?: DeviceReport;
  },
) {
  const signature = toHex(await signer.signBytes(reportBytes(id, sequence, signed)));
  return device().reportDevice({ id, sequence, report, signature });
}

it('enrols a device by its invitation once, and shows its report', async () => {
  const admin = await operator();
  const key = await createSigningKey();
  const { invitation } = await admin.inviteDevice({ name: 'till', labels: { site: 'a' } });
  const enrolled = await enrol(key, invitation);
  expect(enrolled).toMatchObject({ id: await deviceIdOf(key.key), name: 'till' });
  // The answer may have been lost: the same key asks again.
  expect(await enrol(key, invitation)).toEqual(enrolled);
  await expect(enrol(await createSigningKey(), invitation)).rejects.toEqual(
    code('INVITATION_INVALID'),
  );
  expect(await admin.getDevice({ id: enrolled.id })).toMatchObject({
    state: 'enrolled',
    report: null,
  });
  await send(enrolled.id, 7, { signer: key });
  const { counts: _, ...shown } = REPORT;
  expect(await admin.listDevices()).toEqual({
    devices: [
      {
        id: enrolled.id,
        name: 'till',
        labels: { site: 'a' },
        key: key.key,
        state: 'reporting',
        enrolledAt: expect.any(String),
        reportedAt: expect.any(String),
        report: shown,
        permission: null,
      },
    ],
    rollouts: [],
  });
});

it('refuses a forged, an altered and an old report, and keeps what it had', async () => {
  const admin = await operator();
  const [key, forger] = await Promise.all([createSigningKey(), createSigningKey()]);
  const { invitation } = await admin.inviteDevice({ name: 'till' });
  await expect(enrol(key, invitation, forger)).rejects.toEqual(code('DEVICE_UNPROVEN'));
  const { id } = await enrol(key, invitation);
  await send(id, 7, { signer: key });
  const altered = { ...REPORT, version: 9 };
  // Within the gap between two reports.
  await expect(send(id, 8, { signer: key, report: altered })).rejects.toMatchObject({
    code: 'RATE_LIMITED',
    retryAfterMs: expect.any(Number),
  });
  now += 1000;
  const unproven = code('DEVICE_UNPROVEN');
  await expect(send(id, 8, { signer: forger })).rejects.toEqual(unproven);
  await expect(send(id, 8, { signer: key, report: altered, signed: REPORT })).rejects.toEqual(
    unproven,
  );
  await expect(send(id, 6, { signer: key, report: altered })).rejects.toEqual(unproven);
  await expect(send('0'.repeat(16), 8, { signer: key })).rejects.toEqual(code('DEVICE_UNKNOWN'));
  // One that was recorded on the way changes nothing.
  await send(id, 7, { signer: key });
  expect((await admin.getDevice({ id })).report).toMatchObject({ version: 1 });
  await send(id, 8, { signer: key, report: altered });
  expect((await admin.getDevice({ id })).report).toMatchObject({ version: 9 });
  now += 91_000;
  expect(await admin.getDevice({ id })).toMatchObject({ state: 'silent' });
});

it('takes no report of a removed device, which cannot enrol again by its invitation', async () => {
  const admin = await operator();
  const key = await createSigningKey();
  const { invitation } = await admin.inviteDevice({ name: 'till', uses: 2 });
  const { id, name } = await enrol(key, invitation);
  expect(name).toBe('till 1');
  await admin.removeDevice({ id });
  await expect(send(id, 1, { signer: key })).rejects.toEqual(code('DEVICE_UNKNOWN'));
  await expect(enrol(key, invitation)).rejects.toEqual(code('INVITATION_INVALID'));
  expect(await admin.listDevices()).toEqual({ devices: [], rollouts: [] });
  await expect(admin.removeDevice({ id })).rejects.toEqual(code('DEVICE_UNKNOWN'));
});

it('lets no device, and no key without its scope, see or change devices', async () => {
  const { secret } = await node.keys.create({ label: 'app', tenant: 'app', scopes: ['infer'] });
  const app = createClient({ url: node.url, key: secret });
  await expect(device().listDevices()).rejects.toEqual(code('KEY_MISSING'));
  await expect(app.listDevices()).rejects.toEqual(code('SCOPE_MISSING'));
  await expect(app.inviteDevice({ name: 'mine' })).rejects.toEqual(code('SCOPE_MISSING'));
});

it('refuses a report that is too large, and one with more than counts and times', async () => {
  const admin = await operator();
  const key = await createSigningKey();
  const { id } = await enrol(key, (await admin.inviteDevice({ name: 'till' })).invitation);
  const long = { ...REPORT, digest: 'd'.repeat(30_000) };
  await expect(send(id, 1, { signer: key, report: long })).rejects.toEqual(code('BODY_TOO_LARGE'));
  const more = { ...REPORT, input: [1, 2, 3] } as DeviceReport;
  await expect(send(id, 1, { signer: key, report: more })).rejects.toEqual(code('REQUEST_INVALID'));
});

it('answers each device with the version that it may install, and halts a rollout by their reports', async () => {
  const admin = await operator();
  const keys = await Promise.all(Array.from({ length: 4 }, () => createSigningKey()));
  const { invitation } = await admin.inviteDevice({ name: 'till', uses: 4, labels: { site: 'a' } });
  const ids = await Promise.all(
    keys.map(async (key) => {
      const { id } = await enrol(key, invitation);
      await send(id, 1, { signer: key, report: { ...REPORT, failed: [] } });
      return id;
    }),
  );
  let sequence = 1;
  const next = (index: number, more: Partial<DeviceReport> = {}) => {
    now += 1000;
    sequence += 1;
    const report = { ...REPORT, failed: [], ...more };
    return send(ids[index]!, sequence, { signer: keys[index]!, report });
  };
  const failed = [{ version: 2, reason: 'its golden vectors differ' }];

  await admin.rollOutToDevices({ model: 'risk', version: 2, share: 100, labels: { site: 'b' } });
  expect((await next(0)).permission).toMatchObject({ upTo: 1, first: true });
  expect((await next(0, { model: 'other' })).permission).toBeNull();
  await admin.rollOutToDevices({ model: 'risk', version: 2, share: 100, labels: { site: 'a' } });
  expect((await next(0)).permission).toMatchObject({ upTo: 2 });
  await next(1, { version: 2 });
  await next(2, { failed });
  const rolloutNow = async () => (await admin.listDevices()).rollouts[0];
  expect(await rolloutNow()).toMatchObject({
    phase: 'running',
    opinion: 'doubtful',
    devices: { reporting: 4, included: 4, installed: 1, failed: 1 },
  });
  expect((await next(3, { failed })).permission).toMatchObject({
    upTo: 1,
    first: false,
    why: 'the rollout of version 2 is halted: it failed on 2 of 3 devices',
  });
  expect(await rolloutNow()).toMatchObject({ phase: 'halted' });
  expect((await next(0)).permission).toMatchObject({ upTo: 1, first: false });
  // The same failures do not halt it again.
  await admin.resumeDeviceRollout({ model: 'risk' });
  await next(2, { failed });
  expect((await next(3, { failed })).permission).toMatchObject({ upTo: 2 });
  await admin.haltDeviceRollout({ model: 'risk', reason: 'complaints' });
  expect(await rolloutNow()).toMatchObject({ phase: 'halted', reason: 'complaints' });
  await admin.endDeviceRollout({ model: 'risk' });
  expect((await next(0)).permission).toBeNull();
  await expect(admin.haltDeviceRollout({ model: 'risk' })).rejects.toEqual(
    code('DEVICE_ROLLOUT_UNKNOWN'),
  );
});

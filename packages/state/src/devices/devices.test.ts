import { beforeEach, expect, it } from 'vitest';
import { code, overEveryState } from '../testing/every-state.ts';
import { createDevices, MOST_DEVICES, type Devices, type StoredInvitation } from './devices.ts';

const NOW = Date.UTC(2030, 0, 1);
const invitation = (more: Partial<StoredInvitation> = {}): StoredInvitation => ({
  id: 'a'.repeat(16),
  name: 'till',
  labels: { site: 'a' },
  secretHash: 'f'.repeat(64),
  uses: 1,
  expiresAt: NOW + 1000,
  ...more,
});
const device = (id: string) => ({ id, key: id.repeat(4), enrolledAt: '2030-01-01T00:00:00.000Z' });
const report = (id: string, sequence: number) => ({
  device: id,
  sequence,
  receivedAt: NOW,
  report: {
    model: 'risk',
    version: 1,
    digest: null,
    trial: false,
    published: null,
    failed: [],
    latency: null,
    answers: { local: 1, remote: 0, hedged: 0, refused: 0 },
    energyProxies: { cpuSeconds: 0.5, bytesReceived: 0, bytesSent: 0 },
    last: null,
  },
});

overEveryState('devices', (at) => {
  let devices: Devices;
  beforeEach(() => {
    devices = createDevices(at.state);
  });

  it('take the places of an invitation, each once, also on two nodes at once', async () => {
    const wide = invitation({ uses: 5 });
    await devices.invite(wide, NOW);
    const other = createDevices(await at.another());
    const ids = ['1', '2', '3', '4', '5', '6', '7'].map((each) => each.repeat(16));
    const taken = await Promise.all(
      ids.map((id, index) => (index % 2 === 0 ? devices : other).enrol(wide, device(id))),
    );
    const names = taken.flatMap((each) => (each === undefined ? [] : [each.name]));
    expect(names.toSorted()).toEqual([1, 2, 3, 4, 5].map((place) => `till ${place}`));
    await at.reopen();
    const { devices: stored } = await createDevices(at.state).read();
    expect([...stored.values()].map(({ labels }) => labels)).toEqual(
      Array.from({ length: 5 }, () => ({ site: 'a' })),
    );
  });

  it('keep the place of a removed device until its invitation has ended', async () => {
    const wide = invitation({ uses: 2 });
    await devices.invite(wide, NOW);
    const first = await devices.enrol(wide, device('1'.repeat(16)));
    await devices.putReport(report(first!.id, 1));
    await devices.remove(first!, NOW);
    const read = await devices.read();
    expect(read.devices.get(first!.id)).toMatchObject({ removedAt: expect.any(String) });
    expect(read.reports.size).toBe(0);
    expect(await devices.enrol(wide, device('2'.repeat(16)))).toMatchObject({ place: 2 });
    expect(await devices.enrol(wide, device('3'.repeat(16)))).toBeUndefined();
    await devices.invite(invitation({ id: 'b'.repeat(16), expiresAt: NOW + 5000 }), NOW + 2000);
    const later = await devices.read();
    expect([...later.invitations.keys()]).toEqual(['b'.repeat(16)]);
    expect([...later.devices.keys()]).toEqual(['2'.repeat(16)]);
  });

  it('have one report each, the newest', async () => {
    await devices.putReport(report('1'.repeat(16), 1));
    await devices.putReport(report('1'.repeat(16), 2));
    await devices.putReport(report('2'.repeat(16), 7));
    const { reports } = await devices.read();
    expect([...reports.values()].map(({ sequence }) => sequence).toSorted((a, b) => a - b)).toEqual(
      [2, 7],
    );
  });

  it('are bounded, as their invitations are', async () => {
    const wide = invitation({ uses: 1000 });
    const places = Array.from({ length: MOST_DEVICES }, (_, index) => index + 1);
    const put = (place: number) => {
      const id = place.toString(16).padStart(16, '0');
      const value = { ...device(id), name: id, labels: {}, invitation: wide.id, place };
      const name = `${wide.id}/${place}`;
      const updatedAt = '2030-01-01T00:00:00.000Z';
      return at.state.putDeclaration({ kind: 'edge-device', name, value, updatedAt });
    };
    await Promise.all(places.map(put));
    await expect(devices.enrol(wide, device('f'.repeat(16)))).rejects.toEqual(
      code('DEVICES_TOO_MANY'),
    );
    const ids = places.slice(0, 200).map((each) => each.toString(16).padStart(16, '0'));
    await Promise.all(ids.map((id) => devices.invite(invitation({ id }), NOW)));
    await expect(devices.invite(invitation(), NOW)).rejects.toEqual(code('DEVICES_TOO_MANY'));
    await devices.invite(invitation(), NOW + 2000);
  });
});

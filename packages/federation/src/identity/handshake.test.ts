import { describe, expect, it } from 'vitest';
import { digestOf } from '@skein/api/canonical';
import { openPlan } from '../testing/plans.ts';
import { openChannel } from '../transport/channel.ts';
import { memoryChunks } from '../transport/chunks.ts';
import { connectionPair } from '../transport/connection.ts';
import { expectKind, type Greeting, join } from './handshake.ts';
import { createIdentity, importIdentity, isSignedBy, type Identity } from './keys.ts';
import { randomHex } from '@skein/api/signing-key';

const code = (expected: string): unknown => expect.objectContaining({ code: expected });

const ID = '0'.repeat(16);
const SECRET = '1'.repeat(64);

async function greet(coordinator: Identity, expected: string, site: Identity) {
  const [a, b] = connectionPair();
  const [near, far] = [openChannel(a, memoryChunks(1e6)), openChannel(b, memoryChunks(1e6))];
  const joined = join(near, {
    identity: site,
    invitation: { run: 'r1', coordinator: expected, id: ID, secret: SECRET },
    accept: () => {},
  });
  const hello = await expectKind(far, 'hello');
  const nonce = randomHex(32);
  const greeting: Greeting = {
    run: 'r1',
    site: hello.key,
    coordinator: coordinator.key,
    siteNonce: hello.nonce,
    coordinatorNonce: nonce,
  };
  const signature = await coordinator.sign('challenge', greeting);
  await far.send({ kind: 'challenge', key: coordinator.key, nonce, signature });
  return { joined, far, greeting };
}

describe('a handshake', () => {
  it('proves both keys, sends the invitation, and accepts the plan', async () => {
    const [coordinator, site] = [await createIdentity(), await createIdentity()];
    const { joined, far, greeting } = await greet(coordinator, coordinator.key, site);
    const proof = await expectKind(far, 'prove');
    expect(proof.invitation).toBe(`${ID}.${SECRET}`);
    expect(await isSignedBy(site.key, 'prove', greeting, proof.signature)).toBe(true);
    expect(await isSignedBy(site.key, 'accept', greeting, proof.signature)).toBe(false);
    const other = { ...greeting, coordinatorNonce: randomHex(32) };
    expect(await isSignedBy(site.key, 'prove', other, proof.signature)).toBe(false);
    const plan = openPlan();
    await far.send({ kind: 'welcome', name: 'north', role: 'site', plan });
    expect(await joined).toMatchObject({ plan, planDigest: await digestOf(plan), name: 'north' });
    const accepted = await expectKind(far, 'accept');
    const signed = { run: 'r1', plan: await digestOf(plan) };
    expect(await isSignedBy(site.key, 'accept', signed, accepted.signature)).toBe(true);
  });

  it('sends no invitation to a coordinator with another key', async () => {
    const [real, fake, site] = await Promise.all([1, 2, 3].map(() => createIdentity()));
    const { joined } = await greet(fake!, real!.key, site!);
    await expect(joined).rejects.toEqual(code('IDENTITY_UNPROVEN'));
  });

  it('accepts no plan whose helpers have not signed the keys that seeds are sealed to', async () => {
    const [coordinator, site] = [await createIdentity(), await createIdentity()];
    const { joined, far } = await greet(coordinator, coordinator.key, site);
    await expectKind(far, 'prove');
    const trusted = await Promise.all([1, 2].map(() => createIdentity()));
    const helpers = await Promise.all(
      trusted.map(async (identity, at) => ({
        name: `helper ${at}`,
        identity: identity.key,
        sealing: `${at + 1}`.repeat(64),
        // The second one has signed another key.
        proof: await identity.sign('sealing', '1'.repeat(64)),
      })),
    );
    const plan = openPlan({ aggregation: { kind: 'committee', range: 1, helpers } });
    await far.send({ kind: 'welcome', name: 'north', role: 'site', plan });
    await expect(joined).rejects.toMatchObject({
      code: 'PLAN_INVALID',
      message: expect.stringContaining('helper 1 has not signed'),
    });
  });

  it('keeps an identity over a restart', async () => {
    const identity = await createIdentity();
    const again = await importIdentity(await identity.exported());
    expect(again.key).toBe(identity.key);
    expect(await isSignedBy(identity.key, 'entry', 1, await again.sign('entry', 1))).toBe(true);
    await expect(importIdentity(new Uint8Array(10))).rejects.toEqual(code('IDENTITY_UNPROVEN'));
  });
});

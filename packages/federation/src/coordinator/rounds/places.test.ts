/** A link that is opened takes no place; an accepted plan does, until the site is revoked. */
import { expect, it, vi } from 'vitest';
import { invitationOf } from '../../identity/invitation.ts';
import { createIdentity, type Identity } from '../../identity/keys.ts';
import { join } from '../../identity/handshake.ts';
import { openChannel } from '../../transport/channel.ts';
import { memoryChunks } from '../../transport/chunks.ts';
import { connectionPair } from '../../transport/connection.ts';
import { startFederation } from '../testing/federation.ts';

async function opened(maximum: number) {
  const at = await startFederation({ sites: { minimum: 2, maximum } });
  const { id } = await at.coordinator.start(at.draft);
  /** Reads the plan of a link, and accepts it by default. */
  async function enter(link: string, identity: Identity, accept = async () => {}) {
    const [near, far] = connectionPair();
    at.coordinator.connect(far);
    const channel = openChannel(near, memoryChunks(2 ** 20));
    await join(channel, { identity, invitation: invitationOf(link), accept });
    // The first message after an acceptance, or the refusal.
    await channel.receive();
    return channel;
  }
  const member = async ({ key }: Identity) => {
    const { members } = await at.coordinator.view(id);
    return members.find((each) => each.key === key);
  };
  const invite = () => at.coordinator.invite(id, { name: 'site' });
  return { at, id, enter, member, invite };
}

const declined = () => Promise.reject(new Error('It is only read.'));
const busy = expect.objectContaining({
  code: 'FEDERATION_BUSY',
  message: expect.stringContaining('2 sites'),
});

it('is given to sites that accept, also when as many others have opened their links before', async () => {
  const { enter, member, invite } = await opened(2);
  const readers = await Promise.all([createIdentity(), createIdentity()]);
  for (const reader of readers) {
    await expect(enter(await invite(), reader, declined)).rejects.toThrow('only read');
    expect(await member(reader)).toMatchObject({ accepted: false, waiting: false });
  }
  const sites = await Promise.all([createIdentity(), createIdentity()]);
  for (const site of sites) await enter(await invite(), site);
  for (const site of sites) expect(await member(site)).toMatchObject({ accepted: true });
});

it('is refused above the maximum, with the reason, and is taken when another site is revoked', async () => {
  const { at, id, enter, member, invite } = await opened(2);
  const [first, second, third] = await Promise.all([1, 2, 3].map(createIdentity));
  await enter(await invite(), first!);
  await enter(await invite(), second!);
  const link = await invite();
  const changes: boolean[] = [];
  const watching = new AbortController();
  const watched = (async () => {
    for await (const { members } of at.coordinator.watch(id, watching.signal)) {
      changes.push(members.some(({ waiting }) => waiting));
    }
  })();
  await expect(enter(link, third!)).rejects.toEqual(busy);
  expect(await member(third!)).toMatchObject({ accepted: false, waiting: true });
  await vi.waitFor(() => expect(changes.at(-1)).toBe(true));
  watching.abort();
  await watched;

  await at.coordinator.revoke(id, first!.key);
  await enter(link, third!);
  expect(await member(third!)).toMatchObject({ accepted: true, waiting: false });
  // A site that has a place comes back to it.
  await enter(link, third!);
});

it('is one for one of two sites that accept at once', async () => {
  const { at, id, enter, invite } = await opened(2);
  await enter(await invite(), await createIdentity());
  const links = await Promise.all([invite(), invite(), invite()]);
  const ends = await Promise.allSettled(
    links.map(async (link) => enter(link, await createIdentity())),
  );
  expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  const { members } = await at.coordinator.view(id);
  expect(members.filter(({ accepted }) => accepted)).toHaveLength(2);
  expect(members.filter(({ waiting }) => waiting)).toHaveLength(2);
});

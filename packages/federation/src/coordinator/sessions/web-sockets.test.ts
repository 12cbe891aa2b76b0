/** Refusals of a coordinator over real WebSockets, each with its code. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { FEDERATION_PATH } from '@skein/api/federations';
import { expect, it, onTestFinished, vi } from 'vitest';
import { WebSocket } from 'ws';
import { join } from '../../identity/handshake.ts';
import { invitationOf } from '../../identity/invitation.ts';
import { createIdentity, type Identity } from '../../identity/keys.ts';
import { openSocket } from '../../site/node.ts';
import { openChannel } from '../../transport/channel.ts';
import { connectionOver } from '../../transport/connection.ts';
import { memoryChunks } from '../../transport/chunks.ts';
import { encodeFrame } from '../../transport/messages.ts';
import { MOST_GREETING } from './sessions.ts';
import { joinScripted, startFederation, type TestFederation } from '../testing/federation.ts';

const code = (expected: string): unknown => expect.objectContaining({ code: expected });

async function isConnected({ coordinator }: TestFederation, id: string): Promise<boolean> {
  return (await coordinator.view(id)).members.some(({ connected }) => connected);
}

async function started() {
  const at = await startFederation();
  const server = createServer();
  server.on('upgrade', (request, socket, head) => {
    void at.coordinator.upgrade.accept(request, socket as Socket, head);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { id } = await at.coordinator.start(at.draft);
  const invitation = await at.coordinator.invite(id, { name: 'north' });
  const joinAs = async (identity: Identity, secret: boolean) => {
    const channel = openChannel(await openSocket(url), memoryChunks(2 ** 20));
    const { run, coordinator, ...proof } = invitationOf(invitation);
    const shown = { run, coordinator, ...(secret ? proof : {}) };
    try {
      return await join(channel, { identity, invitation: shown, accept() {} });
    } finally {
      channel.close();
    }
  };
  return { at, id, url, invitation, joinAs };
}

it('refuses a revoked, a stolen and an unknown identity, and an invitation of another', async () => {
  const { at, id, url, invitation, joinAs } = await started();
  const identity = await createIdentity();
  const connection = await openSocket(url);
  const site = await joinScripted(at, invitation, () => undefined, { identity, connection });
  const other = await createIdentity();
  const thief: Identity = { ...other, key: identity.key };
  await expect(joinAs(thief, true)).rejects.toEqual(code('IDENTITY_UNPROVEN'));
  await expect(joinAs(other, false)).rejects.toEqual(code('IDENTITY_UNKNOWN'));
  await expect(joinAs(other, true)).rejects.toEqual(code('INVITATION_INVALID'));
  await vi.waitFor(async () => expect(await isConnected(at, id)).toBe(true));
  await at.coordinator.revoke(id, identity.key);
  expect(await site.ended).toEqual(code('IDENTITY_REVOKED'));
  await expect(joinAs(identity, true)).rejects.toEqual(code('IDENTITY_REVOKED'));
  expect(at.faults).toEqual([]);
});

it('ends a site that is revoked while it reads the plan', async () => {
  const { at, id, url, invitation } = await started();
  const identity = await createIdentity();
  const channel = openChannel(await openSocket(url), memoryChunks(2 ** 20));
  await join(channel, {
    identity,
    invitation: invitationOf(invitation),
    accept: () => at.coordinator.revoke(id, identity.key),
  });
  const left = async (): Promise<unknown> => {
    for (;;) if ((await channel.receive()) === undefined) return undefined;
  };
  await expect(left()).rejects.toEqual(code('IDENTITY_REVOKED'));
});

it('refuses another version of the protocol, naming both', async () => {
  const { url } = await started();
  const connection = await openSocket(url);
  const channel = openChannel(connection, memoryChunks(2 ** 20));
  const frame = encodeFrame({
    kind: 'hello',
    run: 'f-1',
    key: 'a'.repeat(64),
    nonce: 'b'.repeat(64),
  });
  frame[2] = 0;
  connection.send(frame);
  const refusal = await channel.receive().catch((error: unknown) => error);
  expect(refusal).toMatchObject({
    code: 'FEDERATION_PROTOCOL',
    message: expect.stringContaining('version 0 of the protocol, this one version 1'),
  });
});

it.each([
  { kind: 'task', place: { round: 0, attempt: 0, phase: 'train' }, remainingMs: 1, fields: {} },
  { kind: 'fetch', digest: 'a'.repeat(64) },
] as const)('reads of a stranger only a greeting and a proof: $kind', async (message) => {
  const { url } = await started();
  const connection = await openSocket(url);
  const channel = openChannel(connection, memoryChunks(2 ** 20));
  connection.send(encodeFrame(message));
  await expect(channel.receive()).rejects.toMatchObject({
    code: 'FEDERATION_PROTOCOL',
    message: `A ${message.kind} frame is not taken now.`,
  });
});

it('bounds the connections that have proved no key, and serves a site when they have gone', async () => {
  const { at, url, joinAs } = await started();
  const silent = await Promise.all(Array.from({ length: MOST_GREETING }, () => openSocket(url)));
  const identity = await createIdentity();
  await expect(joinAs(identity, true)).rejects.toEqual(code('FEDERATION_BUSY'));
  for (const each of silent) each.close();
  await expect
    .poll(() => joinAs(identity, true).catch((error: unknown) => error), { timeout: 30_000 })
    .toMatchObject({ name: 'north' });
  // An enrolled key needs no secret any more.
  await expect(joinAs(identity, false)).resolves.toMatchObject({ name: 'north' });
  expect(at.faults).toEqual([]);
});

/** A WebSocket of a stranger that answers nothing: not even the end of the connection. */
async function openMute(url: string): Promise<Socket> {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  socket.write(
    `GET ${FEDERATION_PATH} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\n\r\n`,
  );
  await once(socket, 'data');
  socket.resume();
  return socket;
}

const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => (socket.closed ? resolve() : socket.once('close', () => resolve())));

it('closes a stranger that sends more than a greeting, or stays when it is refused', async () => {
  const { url, joinAs } = await started();
  const talker = await openMute(url);
  // The head of one binary frame of 1 MiB, with a mask of zeros: a part of it must not be kept.
  talker.write(Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0]));
  talker.write(Buffer.alloc(64 * 1024));
  await closed(talker);
  const refused = await openMute(url);
  // An empty frame is no message.
  refused.write(Buffer.from([0x82, 0x80, 0, 0, 0, 0]));
  await closed(refused);
  await expect(joinAs(await createIdentity(), true)).resolves.toMatchObject({ name: 'north' });
  // A WebSocket alone waits for half a minute.
}, 25_000);

it('answers no ping of a stranger, and parses no more of them', async () => {
  const { url } = await started();
  const pinger = await openMute(url);
  const answers: Buffer[] = [];
  pinger.on('data', (bytes: Buffer) => answers.push(bytes));
  pinger.write(Buffer.concat(Array(2000).fill(Buffer.from([0x89, 0x80, 0, 0, 0, 0]))));
  await closed(pinger);
  expect(Buffer.concat(answers)).toHaveLength(0);
});

/** The socket of a site that has proved its key. */
async function connectedSite(): Promise<WebSocket> {
  const { at, id, url, invitation } = await started();
  const client = new WebSocket(`${url.replace('http', 'ws')}${FEDERATION_PATH}`);
  await once(client, 'open');
  const connection = connectionOver(client);
  const identity = await createIdentity();
  await joinScripted(at, invitation, () => undefined, { identity, connection });
  await vi.waitFor(async () => expect(await isConnected(at, id)).toBe(true));
  return client;
}

it('answers the pings of a site', async () => {
  const client = await connectedSite();
  const pong = once(client, 'pong');
  client.ping('a');
  expect(String((await pong)[0])).toBe('a');
});

it('holds no pongs for a site that does not read them, and answers it when it does', async () => {
  const client = await connectedSite();
  client.pause();
  // More than the system holds of a connection.
  const sent = 250_000;
  const data = Buffer.alloc(125);
  for (let ping = 0; ping < sent; ping += 1) client.ping(data);
  await vi.waitFor(() => expect(client.bufferedAmount).toBe(0), { timeout: 20_000 });
  let answered = 0;
  let isLast = false;
  client.on('pong', (bytes: Buffer) => {
    if (bytes.length === 0) isLast = true;
    else answered += 1;
  });
  client.resume();
  await vi.waitFor(
    () => {
      if (!isLast) client.ping();
      expect(isLast).toBe(true);
    },
    { timeout: 20_000 },
  );
  expect(answered).toBeLessThan(sent / 2);
}, 60_000);

/** Attacks on what members of a fleet offer to each other: without its key, and by a member that has it and lies. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { acceptLink, openLink } from '@skein/fleet';
import { openState, SCHEMA } from '@skein/state';
import { type Attack, inLoops, type Target } from './attack.ts';
import { flood, keepUpgraded } from './kept-sockets.ts';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const upgrade = (nonce: string): string =>
  `GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: skein-fleet\r\nSkein-Fleet-Nonce: ${nonce}\r\n\r\n`;
const newNonce = (): string => randomBytes(16).toString('hex');

/** Keeps connections that have asked for an upgrade. @param speak called when the member has answered. */
function keep(
  name: string,
  speak: (socket: Socket) => void,
  ask = () => upgrade(newNonce()),
): Attack {
  return { name: `fleet: ${name}`, inFleet: true, run: keepUpgraded(ask, speak) };
}

/** The head of a message with so many bytes to come. */
function announced(bytes: number): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(8, 0);
  head.writeUInt32LE(bytes, 4);
  return head;
}

function frame(meta: object): Buffer {
  const json = JSON.stringify({ ...meta, tensors: [] });
  const text = Buffer.from(json.padEnd(Math.ceil(Buffer.byteLength(json) / 8) * 8));
  const head = announced(0);
  head.writeUInt32LE(text.byteLength, 0);
  return Buffer.concat([head, text]);
}

const LIES: readonly ((stream: ServerHttp2Stream) => void)[] = [
  () => {},
  (stream) => stream.end(randomBytes(4096)),
  (stream) => stream.end(frame({ version: 7, times: 'fast', more: 'perhaps' })),
  (stream) => stream.end(frame({ error: { code: 'SO_WHAT', message: {}, retryAfterMs: 'never' } })),
  (stream) => flood(stream, frame({ version: '1', more: true })),
  (stream) => {
    stream.write(announced(500 * 2 ** 20));
    flood(stream, Buffer.alloc(64 * 1024));
  },
];

/** Joins the fleet as a member that predicts 0 ms for everything, and answers with the lies in turn. */
async function lie({ fleet }: Target, until: AbortSignal): Promise<void> {
  const { redis, key, deployment } = fleet!;
  let turn = 0;
  const server = createServer();
  server.on('upgrade', (request, socket: Socket, head) => {
    void acceptLink(request, socket, head, key).then((session) =>
      session?.on('stream', (stream, headers) => {
        stream.on('error', () => {});
        stream.respond({ ':status': 200 });
        if (headers[':path'] === '/1/probe') stream.end(frame({ finishMs: 0 }));
        else LIES[turn++ % LIES.length]!(stream);
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const state = await openState(redis);
  const info = {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    name: 'liar',
    version: '0',
    schema: SCHEMA,
    memoryBytes: 1e9,
    cores: 1,
    accelerators: [],
    loaded: [{ model: deployment, version: '1', digest: 'd' }],
  };
  const membership = await state.members.join(info, 10_000);
  while (!until.aborted) {
    await membership.renew(info);
    await sleep(500);
  }
  await membership.leave();
  await state.close();
  server.closeAllConnections();
  server.close();
}

/** Sends what no member would, over connections that prove the key. */
async function misuse({ host, httpPort, fleet }: Target, until: AbortSignal): Promise<void> {
  const address = `http://${host}:${httpPort}`;
  await inLoops(4, until, async () => {
    const session = await openLink(address, { key: fleet!.key }, 5000);
    for (let count = 0; count < 2000 && !session.destroyed; count++) {
      const path = ['/1/infer', '/1/probe', '/1/start', '/1/change', '/nowhere'][count % 5];
      const stream = session.request({ ':method': 'POST', ':path': path });
      stream.on('error', () => {}).resume();
      if (count % 3 === 0) stream.write(randomBytes(512));
      else if (count % 3 === 1) stream.end(frame({ id: count, deployment: {}, elapsedMs: 'x' }));
      else stream.close();
    }
    await sleep(100);
    session.destroy();
  });
}

const seen = upgrade('0'.repeat(32));

export const fleetAttacks: readonly Attack[] = [
  keep('upgrades that never prove the key', () => {}),
  keep('proofs of another key', (socket) => {
    socket.write(randomBytes(32));
    socket.write(PREFACE);
  }),
  keep('proofs that trickle', (socket) => {
    const timer = setInterval(() => socket.write('x'), 100);
    socket.on('close', () => clearInterval(timer));
  }),
  keep('bytes instead of a proof, without end', (socket) => flood(socket, Buffer.alloc(64 * 1024))),
  keep(
    'handshakes that are repeated',
    (socket) => void socket.write(Buffer.alloc(32, 7)),
    () => seen,
  ),
  keep(
    'upgrades without a nonce',
    () => {},
    () => upgrade(''),
  ),
  keep('resets', (socket) => void socket.resetAndDestroy()),
  { name: 'fleet: a member that lies', inFleet: true, hasKey: true, run: lie },
  { name: 'fleet: a member that sends what none would', inFleet: true, hasKey: true, run: misuse },
];

/** Messages of a member of the fleet that has its key. */
import { openLink } from '@skein/fleet';
import type { Face, Places, Sent } from '../face.ts';
import { anything, type Json, MIB, pick, type Random, repeat, size, text } from './grammar.ts';

/** Bytes of a head, and of a message. */
const HEAD_BYTES = MIB - 4096;
const MESSAGE_BYTES = 62 * MIB;
const HANDSHAKE_MS = 5000;

type Entry = readonly [name: string, type: string, shape: Json, bytes: number];

function message(random: Random): Sent {
  const path = pick(random, ['/1/infer', '/1/probe', '/1/change']);
  const what = pick(random, ['strings', 'numbers', 'entries', 'shapes', 'text', 'member']);
  const strings = size(random, MESSAGE_BYTES / 4);
  const numbers = size(random, MESSAGE_BYTES / 4);
  const few = size(random, 6000);
  const tensors: Record<string, readonly Entry[]> = {
    strings: [['x', 'string', [strings], 0]],
    numbers: [['x', 'float32', [numbers], 4 * numbers]],
    entries: repeat(few, (index) => [`x${index}`, 'float32', [1], 4]),
  };
  const shapes = repeat(what === 'shapes' ? few : 1, () => ['x', 'float32', repeat(3, () => 1)]);
  const meta: Record<string, Json> = {
    id: 'r',
    deployment: pick(random, ['floats', 'strings', 'unknown']),
    tenant: 't',
    protocol: 'http',
    priority: 0,
    elapsedMs: 1,
    leftMs: 60_000,
    change: 'changeSettings',
    parameters: ['floats', {}],
    actor: 'a',
    shapes,
    tensors: tensors[what] ?? [],
  };
  if (what === 'text') meta[pick(random, ['id', 'tenant', 'version'])] = text(random, HEAD_BYTES);
  if (what === 'member') {
    meta[pick(random, [...Object.keys(meta), 'outputs', 'trace'])] = anything(random, HEAD_BYTES);
  }
  const json = Buffer.from(JSON.stringify(meta));
  const head = Buffer.alloc(8 + json.length + (-json.length & 7), ' ');
  const body = Buffer.alloc(
    { strings: 4 * strings, numbers: 4 * numbers, entries: 8 * few }[what] ?? 0,
  );
  head.writeUInt32LE(head.length - 8, 0);
  head.writeUInt32LE(body.length, 4);
  json.copy(head, 8);
  return exchange(`${what} to ${path}`, path, Buffer.concat([head, body]));
}

function exchange(what: string, path: string, bytes: Buffer): Sent {
  return {
    what,
    bytes: bytes.length,
    async send({ node: { target } }: Places) {
      const address = `http://${target.host}:${target.httpPort}`;
      const session = await openLink(address, { key: target.fleet!.key }, HANDSHAKE_MS);
      const stream = session.request({ ':method': 'POST', ':path': path });
      let status = 'closed';
      stream.on('response', (headers) => (status = `${headers[':status']}`));
      stream.on('error', (error) => (status = error.message));
      const ended = new Promise((resolve) => stream.on('close', resolve));
      stream.resume().end(bytes);
      await ended;
      session.destroy();
      return status;
    },
  };
}

export const fleetFaces: readonly Face[] = [{ name: 'fleet', make: message }];

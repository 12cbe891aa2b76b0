/**
 * A proxy for the guests of one session: an HTTP proxy that connects to listed addresses only. It
 * is the only way out of the sandbox, so a guest that ignores it reaches nothing.
 *
 * A name is resolved here, once for each connection, and the proxy connects to the address that it
 * checked: a name that resolves differently the next time gains nothing. Neither a name nor a
 * numeric address leads to this machine or its neighbours, unless the work is trusted and the
 * numeric address is listed. The proxy does not inspect the bytes of a tunnel; a listed server that
 * also serves other names serves them to the guest too.
 *
 * Everything that a guest can cause is bounded: the bytes, the connections at once and in total,
 * the refusals, and the idle time of a connection. A guest that is refused too often is no longer
 * served, because refusing takes time of the node.
 */
import { Buffer } from 'node:buffer';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { connect, isIP, type Socket } from 'node:net';
import { nameOf, isLocalTarget, type AllowList, type Target } from './allow-list.ts';
import { isPublicAddress } from '@skein/api/addresses';
import { isOwnOrNeighbour, type Interfaces } from './own-address.ts';
import { readProxyRequest } from './request-head.ts';

export interface ProxyOptions {
  readonly allow: AllowList;
  /** Whether the work is trusted: then listed numeric addresses are reached, wherever they are. */
  readonly trusted: boolean;
  /** Called with each refusal, in words for a reader. */
  readonly report: (what: string) => void;
  /** All addresses of a name. Default: the system's resolver. */
  readonly lookup?: (host: string) => Promise<readonly string[]>;
  /** Addresses of this machine. Default: the current ones. */
  readonly interfaces?: () => Interfaces;
  readonly bounds?: Partial<ProxyBounds>;
}

export interface ProxyBounds {
  /** Bytes of one session, in both directions together. */
  readonly bytes: number;
  readonly connectionsAtOnce: number;
  readonly connections: number;
  readonly refusals: number;
  /** Bytes of the head of a request. */
  readonly headBytes: number;
  /** Longest time for the head of a request, for a connection to be made, and without a byte, in milliseconds. */
  readonly headMs: number;
  readonly connectMs: number;
  readonly idleMs: number;
}

const BOUNDS: ProxyBounds = {
  bytes: 4 * 2 ** 30,
  connectionsAtOnce: 64,
  connections: 50_000,
  refusals: 1000,
  headBytes: 16 * 1024,
  headMs: 10_000,
  connectMs: 15_000,
  idleMs: 300_000,
};
/** Refusals that are reported; further ones are only counted. */
const REPORTED = 20;
const SHOWN_CHARACTERS = 200;
/** Time for a guest to read why it was refused, in milliseconds. */
const FAREWELL_MS = 1000;

const REASONS = {
  400: 'Bad Request',
  403: 'Forbidden',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
} as const;
type Status = keyof typeof REASONS;

/** Why a connection is not made; the message is for the guest and for the log. */
class Refusal extends Error {
  readonly status: Status;

  constructor(status: Status, message: string) {
    super(message);
    this.status = status;
  }
}

export class Proxy {
  /** Resolves when no further connection is served. */
  readonly ended: Promise<void>;
  readonly #options: ProxyOptions;
  readonly #bounds: ProxyBounds;
  readonly #clients = new Set<Socket>();
  readonly #end: () => void;
  #connections = 0;
  #refusals = 0;
  #bytes = 0;
  #stopped = false;

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#bounds = { ...BOUNDS, ...options.bounds };
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#end = resolve;
  }

  /** Accepts a connection of a guest. */
  serve(client: Socket): void {
    if (this.#stopped) return void client.destroy();
    this.#clients.add(client);
    client.once('close', () => this.#clients.delete(client));
    client.on('error', () => client.destroy());
    this.#connections += 1;
    if (this.#connections > this.#bounds.connections) {
      return this.#stop(`more than ${this.#bounds.connections} connections`);
    }
    if (this.#clients.size > this.#bounds.connectionsAtOnce) {
      return this.#refuse(client, new Refusal(503, 'too many connections at once'));
    }
    this.#answer(client).catch((error: unknown) => {
      if (error instanceof Refusal) this.#refuse(client, error);
      else client.destroy();
    });
  }

  close(): void {
    this.#end();
    for (const client of this.#clients) client.destroy();
  }

  async #answer(client: Socket): Promise<void> {
    const { text, rest } = await readHead(client, this.#bounds);
    const request = readProxyRequest(text);
    if (request === undefined) throw new Refusal(400, 'this proxy takes CONNECT and http:// only');
    const server = await this.#reach(request.target);
    if (client.destroyed) {
      server.destroy();
      return;
    }
    this.#join(client, server);
    if (request.kind === 'tunnel') client.write('HTTP/1.1 200 Connection established\r\n\r\n');
    else server.write(request.head);
    this.#count(rest.length);
    if (!client.destroyed) server.write(rest);
  }

  /** A connection to a listed address. @throws Refusal. */
  async #reach(target: Target): Promise<Socket> {
    const name = shown(target);
    if (!this.#options.allow.includes(target)) {
      throw new Refusal(403, `${name} is not on the list of addresses`);
    }
    let last = 'it has no address';
    const anywhere = this.#isListedAsItIs(target);
    for (const address of await this.#addresses(target, anywhere)) {
      try {
        const socket = await dial(address, target.port, this.#bounds.connectMs);
        // A connection of this machine to itself has the same address on both ends, also for an
        // address that no interface has.
        if (anywhere || socket.localAddress !== socket.remoteAddress) return socket;
        socket.destroy();
        last = 'it is on this machine';
      } catch (error) {
        last = (error as Error).message;
      }
    }
    throw new Refusal(502, `${name} cannot be reached: ${last}`);
  }

  /** Whether the connection leads to the address that it names. */
  #isListedAsItIs(target: Target): boolean {
    return this.#options.trusted && (isLocalTarget(target) || isIP(target.host) !== 0);
  }

  /** The addresses that the proxy may connect to. @throws Refusal. */
  async #addresses(target: Target, anywhere: boolean): Promise<readonly string[]> {
    const { lookup = lookupAll, interfaces } = this.#options;
    const found = await lookup(target.host).catch((error: unknown) => {
      throw new Refusal(502, `${shown(target)} cannot be resolved: ${(error as Error).message}`);
    });
    if (anywhere) return found;
    const open = found.filter(isPublicAddress);
    const reachable = open.filter((address) => !isOwnOrNeighbour(address, interfaces?.()));
    if (reachable.length > 0) return reachable;
    throw new Refusal(
      403,
      open.length > 0
        ? `${shown(target)} is this machine or a neighbour of it (${open.join(', ')})`
        : `${shown(target)} resolves to no public address (${found.join(', ')})`,
    );
  }

  #join(client: Socket, server: Socket): void {
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.setTimeout(this.#bounds.idleMs, () => from.destroy());
      from.on('data', (chunk: Buffer) => this.#count(chunk.length));
      from.on('error', () => to.destroy());
      from.once('close', () => to.destroy());
      from.pipe(to);
    }
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#bounds.bytes) this.#stop(`more than ${this.#bounds.bytes} bytes`);
  }

  #refuse(client: Socket, { status, message }: Refusal): void {
    this.#refusals += 1;
    if (this.#refusals <= REPORTED) this.#options.report(`A connection was refused: ${message}.`);
    const body = `${message}\n`;
    client.end(
      `HTTP/1.1 ${status} ${REASONS[status]}\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
    // Discard the rest of the guest's bytes; they must not keep the connection open.
    const timer = setTimeout(() => client.destroy(), FAREWELL_MS);
    client.once('close', () => clearTimeout(timer));
    client.resume();
    if (this.#refusals >= this.#bounds.refusals) this.#stop(`${this.#refusals} refusals`);
  }

  /** The session has used up its bounds. */
  #stop(why: string): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#options.report(`The network is closed to this session: ${why}.`);
    this.close();
  }
}

/**
 * The lines of a request, and the bytes after them. @throws Refusal; Error when the guest has
 * disconnected.
 */
async function readHead(
  client: Socket,
  { headBytes, headMs }: ProxyBounds,
): Promise<{ text: string; rest: Buffer }> {
  const timer = setTimeout(() => client.destroy(), headMs);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of client.iterator({ destroyOnReturn: false })) {
      chunks.push(chunk as Buffer);
      length += (chunk as Buffer).length;
      const head = Buffer.concat(chunks);
      const end = head.indexOf('\r\n\r\n');
      if (end >= 0 && end <= headBytes) {
        return { text: head.toString('latin1', 0, end), rest: head.subarray(end + 4) };
      }
      if (length > headBytes) throw new Refusal(400, 'the head of a request is too long');
    }
  } finally {
    clearTimeout(timer);
  }
  throw new Error('the guest has gone');
}

/** @param address a numeric address, so that nothing is resolved here. */
async function dial(address: string, port: number, patienceMs: number): Promise<Socket> {
  const socket = connect({ host: address, port });
  const timer = setTimeout(() => socket.destroy(new Error('it did not answer')), patienceMs);
  try {
    await once(socket, 'connect');
    return socket;
  } finally {
    clearTimeout(timer);
  }
}

async function lookupAll(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

/** The guest chose the text, so it may contain anything. */
function shown(target: Target): string {
  return JSON.stringify(nameOf(target).slice(0, SHOWN_CHARACTERS));
}

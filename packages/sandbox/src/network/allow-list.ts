/**
 * The addresses that a guest may reach: `host:port`, where the host is a name or an IPv4 address,
 * compared as it is written. A name stands for the public addresses that it resolves to; an address
 * that is not public has to be listed itself, and is for trusted work only.
 */
import { isIPv4 } from 'node:net';
import { SkeinError } from '@skein/api';
import { isPublicAddress } from '@skein/api/addresses';

export interface Target {
  /** In lower case. */
  readonly host: string;
  readonly port: number;
}

const ENTRY = /^([a-z\d](?:[a-z\d._-]*[a-z\d])?):(\d{1,5})$/;
/** The only name that always means this machine (RFC 6761). */
const LOCALHOST = 'localhost';

export class AllowList {
  readonly #targets: ReadonlySet<string>;

  /** @throws SkeinError REQUEST_INVALID. */
  constructor(entries: readonly string[]) {
    this.#targets = new Set(entries.map((entry) => nameOf(readEntry(entry))));
  }

  includes(target: Target): boolean {
    return this.#targets.has(nameOf(target));
  }
}

/** Whether the target is a numeric address of this machine or its neighbours, or `localhost`. */
export function isLocalTarget({ host }: Target): boolean {
  return host === LOCALHOST || (isIPv4(host) && !isPublicAddress(host));
}

/** @throws SkeinError REQUEST_INVALID. */
export function readEntry(entry: string): Target {
  const [, host, port] = ENTRY.exec(entry.toLowerCase()) ?? [];
  const target = { host: host ?? '', port: Number(port) };
  if (host === undefined || !(target.port >= 1 && target.port <= 65_535)) {
    throw new SkeinError(
      'REQUEST_INVALID',
      `${JSON.stringify(entry)} is not an entry of an address list: write host:port, with a name or an IPv4 address.`,
    );
  }
  return target;
}

export function nameOf({ host, port }: Target): string {
  return `${host}:${port}`;
}

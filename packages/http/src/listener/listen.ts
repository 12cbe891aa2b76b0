/** Binds a port and reports a taken one, and an address that there is not, as coded errors. */
import { SkeinError } from '@skein/api';

export interface ListenOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** How many ports after `port` to try if it is taken. Default: none. */
  readonly alternatives?: number;
}

/** Where a gateway listens. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** By the code of Node's error. */
const UNUSABLE: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: 'no network of this machine has the address',
  EAFNOSUPPORT: 'this machine has no addresses of that kind',
  EACCES: 'this user may not use the port',
  ENOTFOUND: 'the name has no address',
  EAI_AGAIN: 'the address of the name could not be looked up',
};

/**
 * Calls `bind` with `port`, `port + 1`, … until one is free.
 * @param bind resolves with the port that was bound, rejects with Node's error.
 * @throws SkeinError PORT_IN_USE, ADDRESS_UNUSABLE; REQUEST_INVALID when `port` is none.
 */
export async function listenOnFreePort(
  { host, port, alternatives = 0 }: ListenOptions,
  bind: (port: number) => Promise<number>,
): Promise<ListenAddress> {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new SkeinError(
      'REQUEST_INVALID',
      `The port ${port} is not a whole number from 0 to 65,535.`,
    );
  }
  const last = port === 0 ? 0 : Math.min(port + alternatives, 65_535);
  for (let candidate = port; candidate <= last; candidate++) {
    try {
      return { host, port: await bind(candidate) };
    } catch (error) {
      const { message } = error as Error;
      if (message.includes('EADDRINUSE')) continue;
      const found = Object.entries(UNUSABLE).find(([code]) => message.includes(code));
      if (found === undefined) throw error;
      const fault = `Nothing can listen on ${host}, port ${candidate}: ${found[1]}.`;
      throw new SkeinError('ADDRESS_UNUSABLE', fault, { cause: error });
    }
  }
  const range = last === port ? `Port ${port} is` : `Ports ${port} to ${last} are`;
  throw new SkeinError('PORT_IN_USE', `${range} in use on ${host}.`);
}

/**
 * Which public addresses belong to this machine or its neighbours: an interface may have one, and a
 * service that a firewall hides from the internet is reachable from here. Computed for each
 * connection, because interfaces come and go.
 */
import { BlockList, isIP } from 'node:net';
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';

export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/**
 * A network with a shorter prefix is not a neighbourhood: of such an interface only its own address
 * counts.
 */
const LEAST_PREFIX = { IPv4: 8, IPv6: 32 } as const;

/** @param address a numeric address. */
export function isOwnOrNeighbour(
  address: string,
  interfaces: Interfaces = networkInterfaces(),
): boolean {
  const own = new BlockList();
  for (const { address: at, family, cidr } of Object.values(interfaces).flatMap(
    (all) => all ?? [],
  )) {
    const kind = family === 'IPv4' ? 'ipv4' : 'ipv6';
    const prefix = Number(cidr?.split('/')[1]);
    if (prefix >= LEAST_PREFIX[family]) own.addSubnet(at, prefix, kind);
    else own.addAddress(at, kind);
  }
  return own.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

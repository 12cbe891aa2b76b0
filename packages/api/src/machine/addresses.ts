/**
 * Which addresses are public: all that are outside of the ranges that the IANA registers for
 * special purposes. A guest that may reach a name on the internet must not reach this machine, its
 * neighbours or the metadata service of a cloud, whatever address the owner of that name lets it
 * resolve to.
 *
 * Follows the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890).
 */
import { BlockList, isIP } from 'node:net';

const SPECIAL_IPV4 = [
  ['0.0.0.0', 8], // this network; also another name of loopback
  ['10.0.0.0', 8], // private
  ['100.64.0.0', 10], // behind a carrier's address translation
  ['127.0.0.0', 8], // loopback
  ['169.254.0.0', 16], // link-local: metadata services
  ['172.16.0.0', 12], // private
  ['192.0.0.0', 24], // protocol assignments
  ['192.0.2.0', 24], // documentation
  ['192.88.99.0', 24], // 6to4 relays
  ['192.168.0.0', 16], // private
  ['198.18.0.0', 15], // benchmarks
  ['198.51.100.0', 24], // documentation
  ['203.0.113.0', 24], // documentation
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, and broadcast
] as const;

/**
 * Ranges of 2000::/3, the only block that is assigned; the first two carry an IPv4 address that may
 * be special.
 */
const SPECIAL_IPV6 = [
  ['2002::', 16], // 6to4
  ['2001::', 23], // protocol assignments, Teredo among them
  ['2001:db8::', 32], // documentation
  ['3fff::', 20], // documentation
] as const;

const special = new BlockList();
const global = new BlockList();
for (const [network, prefix] of SPECIAL_IPV4) special.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of SPECIAL_IPV6) special.addSubnet(network, prefix, 'ipv6');
global.addSubnet('2000::', 3, 'ipv6');

/** Whether a numeric address is on the public internet. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !special.check(address, 'ipv4');
  return family === 6 && global.check(address, 'ipv6') && !special.check(address, 'ipv6');
}

/**
 * A network of machines on one machine: a namespace for each site, joined to this process's own by a
 * pair of virtual cards, over which this process forwards.
 *
 *   site 1: 10.77.1.2 ── 10.77.1.1 ┐
 *   site 2: 10.77.2.2 ── 10.77.2.1 ┼ this process, in a namespace of its own (`unshare --net`)
 *   site 9: 10.77.9.2 ── 10.77.9.1 ┘
 *
 * What is dropped between two sites is lost without an answer, as in a network: no connection is
 * refused or reset. The sites end with this process.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';

export interface TestNetwork {
  /** The command that starts a program at a site. */
  within(site: number): readonly string[];
  /** The address of a site. */
  address(site: number): string;
  /** The address of this process, on the way to a site. */
  gateway(site: number): string;
  /** Drops what one site sends to another one. */
  drop(from: number, to: number): void;
  /** Bounds what reaches a site to a rate, in kbit/s; what waits for longer than two seconds is dropped. */
  narrow(site: number, kbits: number): void;
  /** Ends all faults. */
  heal(): void;
  close(): void;
}

const run = (line: string): void => {
  const [command, ...words] = line.split(' ');
  execFileSync(command!, words, { stdio: ['ignore', 'ignore', 'pipe'] });
};
const net = (site: number): string => `10.77.${site}.0/24`;

/** Changes the network of this process, which must have a namespace of its own. */
export async function openNetwork(sites: readonly number[]): Promise<TestNetwork> {
  run('ip link set lo up');
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
  run('iptables -N faults');
  for (const chain of ['INPUT', 'OUTPUT', 'FORWARD']) run(`iptables -I ${chain} -j faults`);
  const holders = new Map<number, ChildProcess>();
  const narrowed = new Set<number>();
  const within = (site: number): string[] => [
    'nsenter',
    '-n',
    '-t',
    String(holders.get(site)!.pid),
  ];
  for (const site of sites) {
    // It ends when its input does, and its namespace with what runs there.
    const words = ['--net', 'sh', '-c', 'echo open; exec cat'];
    const holder = spawn('unshare', words, { stdio: ['pipe', 'pipe', 'inherit'] });
    holders.set(site, holder);
    await once(holder.stdout, 'data');
    run(`ip link add site${site} type veth peer name uplink netns ${holder.pid}`);
    run(`ip address add 10.77.${site}.1/24 dev site${site}`);
    run(`ip link set site${site} up`);
    for (const line of [
      'ip link set lo up',
      `ip address add 10.77.${site}.2/24 dev uplink`,
      'ip link set uplink up',
      `ip route add default via 10.77.${site}.1`,
    ]) {
      run([...within(site), line].join(' '));
    }
  }
  return {
    within,
    address: (site) => `10.77.${site}.2`,
    gateway: (site) => `10.77.${site}.1`,
    drop: (from, to) => run(`iptables -A faults -s ${net(from)} -d ${net(to)} -j DROP`),
    narrow(site, kbits) {
      narrowed.add(site);
      run(`tc qdisc replace dev site${site} root tbf rate ${kbits}kbit burst 4k latency 2s`);
    },
    heal() {
      run('iptables -F faults');
      for (const site of narrowed) run(`tc qdisc del dev site${site} root`);
      narrowed.clear();
    },
    close() {
      for (const holder of holders.values()) holder.stdin!.end();
    },
  };
}

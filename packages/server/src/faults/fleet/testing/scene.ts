/** Three members over one Redis, each at a site of its own, and what a fault may do to them. */
import { writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient, type Client } from '@skein/api/client';
import { startRedis, type TestRedis } from '../../../../../jobs/src/store/testing/redis-server.ts';
import { type NodeProcess, startNodeProcess } from '../../../testing/node-process.ts';
import { startTcpProxy, type TcpProxy } from '../../../testing/tcp-proxy.ts';
import { openNetwork, type TestNetwork } from './network.ts';

export const ADMIN = `skein_0123456789ab_${'A'.repeat(43)}`;
const PORT = 8080;
const STORE = 9;
const SITES = [1, 2, 3];

/** One that callers reach directly, whatever stands between it and the others. */
export interface Site {
  /** Its number in the network. */
  readonly site: number;
  readonly url: string;
  readonly client: Client;
  node: NodeProcess;
  /** Moves its clock, in milliseconds. */
  setClock(shiftMs: number): void;
  kill(): Promise<void>;
  /** On its folder and its port. */
  start(): Promise<void>;
}

export interface Scene {
  readonly network: TestNetwork;
  readonly redis: TestRedis;
  readonly store: number;
  readonly sites: readonly Site[];
  /** Between the last member and the others, and the store. */
  readonly proxies: { readonly peers: TcpProxy; readonly store: TcpProxy };
  close(): Promise<void>;
}

/** Shifts the clock by the number in a file, ten times a second. */
const CLOCK = `
import { readFileSync } from 'node:fs';
const [Real, file] = [Date, process.env.SKEIN_TEST_CLOCK];
let shift = 0;
setInterval(() => (shift = Number(readFileSync(file, 'utf8'))), 100).unref();
globalThis.Date = class extends Real {
  constructor(...given) { if (given.length === 0) super(Real.now() + shift); else super(...given); }
  static now() { return Real.now() + shift; }
};`;

export async function openScene(folder: string): Promise<Scene> {
  const network = await openNetwork([...SITES, STORE]);
  await mkdir(join(folder, 'redis'));
  const redis = await startRedis({
    folder: join(folder, 'redis'),
    host: network.address(STORE),
    within: network.within(STORE),
    settings: ['--protected-mode', 'no'],
  });
  const last = SITES.at(-1)!;
  const peers = await startTcpProxy(network.gateway(last), network.address(last));
  peers.target = PORT;
  const store = await startTcpProxy(network.gateway(STORE), network.address(STORE));
  store.target = redis.port;
  const key = join(folder, 'fleet-key');
  writeFileSync(key, '0123456789abcdef0123456789abcdef\n');

  async function openSite(site: number): Promise<Site> {
    const home = join(folder, `site${site}`);
    await mkdir(home);
    const clock = join(home, 'clock');
    const setClock = (shiftMs: number): void => writeFileSync(clock, String(shiftMs));
    setClock(0);
    const own = `http://${network.address(site)}:${PORT}`;
    const behind = site === last;
    const start = async (): Promise<NodeProcess> =>
      startNodeProcess({
        folder: home,
        port: PORT,
        key: ADMIN,
        within: network.within(site),
        args: [
          '--host',
          '0.0.0.0',
          '--advertise',
          behind ? peers.url : own,
          '--redis',
          behind ? store.url.replace('http:', 'redis:') : redis.url,
          '--blobs',
          join(folder, 'blobs'),
          '--queues',
          'none',
          '--fleet-key',
          key,
          '--cores',
          '1',
          // The first one has no memory for a model in a process of its own.
          '--model-memory',
          site === SITES[0] ? '60MiB' : '1GiB',
        ],
        env: {
          SKEIN_ADMIN_KEY: ADMIN,
          SKEIN_TEST_CLOCK: clock,
          NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(CLOCK)}`,
        },
      });
    const opened: Site = {
      site,
      url: own,
      client: createClient({ url: own, key: ADMIN }),
      node: await start(),
      setClock,
      kill() {
        return opened.node.kill();
      },
      async start() {
        opened.node = await start();
      },
    };
    return opened;
  }

  const sites: Site[] = [];
  for (const site of SITES) sites.push(await openSite(site));
  return {
    network,
    redis,
    store: STORE,
    sites,
    proxies: { peers, store },
    async close() {
      await Promise.all(sites.map(({ node }) => node[Symbol.asyncDispose]()));
      peers.close();
      store.close();
      await redis.destroy();
      network.close();
    },
  };
}

/** Redis, three containers of nodes and a balancer on loopback, in a folder that is removed with them. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Engine, type EngineName, openEngine } from './engine.ts';

export interface FleetNode {
  /** The node's name in the balancer. */
  readonly name: string;
  readonly url: string;
  start(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

export interface Fleet extends AsyncDisposable {
  readonly nodes: readonly FleetNode[];
  /** The balancer's URL. */
  readonly url: string;
  readonly key: string;
}

const HARDENED =
  '--read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --network host'.split(
    ' ',
  );
const HAPROXY = join(import.meta.dirname, '../compose/haproxy.cfg');

export async function openFleet({
  engine: name,
  image,
}: {
  readonly engine: EngineName;
  readonly image: string;
}): Promise<Fleet> {
  const folder = mkdtempSync(join(tmpdir(), 'skein-fleet-'));
  await using closing = new AsyncDisposableStack();
  closing.defer(() => rmSync(folder, { recursive: true, force: true }));
  const engine = closing.use(openEngine(name));
  const blobs = join(folder, 'blobs');
  mkdirSync(blobs);
  // The user of the image writes here.
  chmodSync(blobs, 0o777);
  const [redisPort, balancerPort, ...nodePorts] = (await freePorts(5)) as [number, number];
  const redis = ['--port', String(redisPort), '--appendonly', 'yes', '--dir', folder];
  closing.defer(await background('redis-server', [...redis, '--save', '']));

  const key = `skein_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('base64url')}`;
  const fleetKey = randomBytes(32).toString('hex');
  const nodes = nodePorts.map((port, index) => {
    const environment = {
      PORT: String(port),
      SKEIN_REDIS: `redis://127.0.0.1:${redisPort}`,
      SKEIN_BLOBS: '/blobs',
      SKEIN_ADMIN_KEY: key,
      SKEIN_FLEET_KEY: fleetKey,
    };
    return nodeOf(engine, image, { blobs, port, index, environment });
  });
  for (const node of nodes) closing.defer(() => node.remove());
  await Promise.all(nodes.map((node) => node.start()));
  const balancer = await background('haproxy', ['-f', HAPROXY], {
    BALANCER: `127.0.0.1:${balancerPort}`,
    ...Object.fromEntries(nodePorts.map((port, at) => [`NODE_${at + 1}`, `127.0.0.1:${port}`])),
  });
  closing.defer(balancer);
  const owned = closing.move();
  return {
    nodes,
    url: `http://127.0.0.1:${balancerPort}`,
    key,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function nodeOf(
  engine: Engine,
  image: string,
  of: {
    readonly blobs: string;
    readonly port: number;
    readonly index: number;
    readonly environment: Readonly<Record<string, string>>;
  },
): FleetNode & { remove(): Promise<void> } {
  const container = `skein-try-${process.pid}-${of.index + 1}`;
  const volume = `${container}-data`;
  const environment = Object.entries(of.environment).flatMap(([name, value]) => [
    '-e',
    `${name}=${value}`,
  ]);
  const up = 'up --host 127.0.0.1 --keys required --grpc-port 0 --queues none --log json'.split(
    ' ',
  );
  return {
    name: `node-${of.index + 1}`,
    url: `http://127.0.0.1:${of.port}`,
    async start() {
      await engine('rm', '--force', container).catch(() => '');
      const mounts = ['-v', `${of.blobs}:/blobs`, '-v', `${volume}:/data`];
      const named = ['run', '--detach', '--name', container];
      await engine(...named, ...HARDENED, ...environment, ...mounts, image, ...up);
    },
    async kill() {
      await engine('kill', '--signal', 'KILL', container);
    },
    async remove() {
      await engine('rm', '--force', container).catch(() => '');
      await engine('volume', 'rm', '--force', volume).catch(() => '');
    },
  };
}

/** Resolves once the program has started, with how it is ended. */
async function background(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<() => Promise<void>> {
  const child: ChildProcess = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: 'ignore',
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return async () => {
    child.kill('SIGTERM');
    await ended;
  };
}

/** All at once, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}

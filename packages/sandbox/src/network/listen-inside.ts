/**
 * A server of this process that listens in the network of another process.
 *
 * A socket belongs to the network name space in which it was made, whichever process holds it. So a
 * small process starts in that network, listens, passes the listening socket to the node, and
 * exits. No relay stays inside, nothing has to be mounted, and a guest finds no program of the node
 * to attack.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import module from 'node:module';
import { Server } from 'node:net';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const LISTENER = fileURLToPath(new URL('./listener.ts', import.meta.url));

/** The address at which guests find their proxy. */
export const PROXY_HOST = '127.0.0.1';
export const PROXY_PORT = 3128;

/**
 * @param pid a process of this machine, in the network.
 * @param owned whether the network is in a user name space that this process owns without being
 *   root.
 * @throws Error that names the missing piece.
 */
export async function listenInside(pid: number, owned: boolean): Promise<Server> {
  const at = `/proc/${pid}/ns`;
  const user = owned ? [`--user=${at}/user`, '--preserve-credentials'] : [];
  const words = [
    'nsenter',
    ...user,
    `--net=${at}/net`,
    process.execPath,
    LISTENER,
    PROXY_HOST,
    `${PROXY_PORT}`,
  ];
  const child = spawn('/usr/bin/env', words, {
    env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', ...compileCache() },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const output = text(child.stderr!);
  let server: Server | undefined;
  let failed: string | undefined;
  child.once('message', (word: string, handle) => {
    if (handle instanceof Server) server = handle;
    else failed = word;
  });
  // While it lives, it would accept connections too.
  await once(child, 'close');
  if (server !== undefined) return server;
  throw new Error(
    `nothing can listen in the network of a guest: ${failed ?? (await output).trim()}`,
  );
}

/** Half of the time until it listens goes away where the node keeps compiled code: its types are stripped already. */
function compileCache(): NodeJS.ProcessEnv {
  const own = module.getCompileCacheDir();
  return own === undefined ? {} : { NODE_COMPILE_CACHE: dirname(own) };
}

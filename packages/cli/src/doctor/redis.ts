/** Whether a Redis answers: the one of the fleet where the environment names it, else a local one. */
import { connect, type Socket } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import { broken, check, firstLine, missing, ok, tryProgram } from './check.ts';
import { installCommand } from './system.ts';

/** In order of precedence; the other commands read `SKEIN_REDIS`. */
const VARIABLES = ['SKEIN_REDIS', 'REDIS_URL'] as const;
const HERE = 'redis://127.0.0.1:6379';
const PATIENCE_MS = 1000;

export const checkRedis = check('Redis', false, async ({ env }) => {
  const variable = VARIABLES.find((name) => (env[name] ?? '') !== '');
  const text = variable === undefined ? HERE : env[variable]!;
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'redis:' && url.protocol !== 'rediss:')) {
    // Not shown whole: it may hold a password.
    return broken(
      `${variable} is not an address of Redis: it must start with redis:// or rediss://`,
      `export ${variable}=${HERE}`,
    );
  }
  const port = url.port === '' ? 6379 : Number(url.port);
  const place = `${url.hostname}:${port}`;
  const greeting = await ping(url, port);
  if (greeting === '+PONG') return ok(`answers at ${place}`);
  if (greeting?.startsWith('-NOAUTH')) return ok(`at ${place}, with a password`);
  if (variable !== undefined) {
    return broken(
      greeting === undefined
        ? `${variable} names ${place}, but nothing answers there`
        : `${variable} names ${place}, but the server there is not Redis`,
      `redis-cli -u ${url.protocol}//${place} ping, which must answer PONG`,
    );
  }
  const program = await tryProgram('redis-server', ['--version']);
  if (program.absent) {
    return missing('not installed; only a fleet needs it', installCommand('redis'));
  }
  const version = /v=([\d.]+)/.exec(program.stdout)?.[1] ?? 'version unknown';
  return missing(
    `installed (${version}), but none answers at ${place}`,
    'redis-server --appendonly yes --daemonize yes',
  );
});

/** The first line of the answer to PING; absent when nothing answers in time. */
function ping(url: URL, port: number): Promise<string | undefined> {
  // A URL keeps the brackets of an IPv6 address.
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const greet = (): void => void socket.write('PING\r\n');
    const socket: Socket =
      url.protocol === 'rediss:'
        ? connectSecurely({ host, port, timeout: PATIENCE_MS }, greet)
        : connect({ host, port, timeout: PATIENCE_MS }, greet);
    const end = (answer: string | undefined): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('data', (data: Buffer) => end(firstLine(data.toString())));
    socket.once('error', () => end(undefined));
    socket.once('end', () => end(undefined));
    socket.once('timeout', () => end(undefined));
  });
}

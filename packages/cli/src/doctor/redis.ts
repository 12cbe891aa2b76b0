/** Whether a Redis answers: the one of the fleet where the environment names it, else a local one. */
import { connect, type Socket } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import { broken, firstLine, missing, ok, tryProgram, type Check } from './check.ts';
import { installCommand, thisSystem } from './system.ts';

const NAME = 'Redis';
/** In order of precedence; the other commands read `SKEIN_REDIS`. */
const VARIABLES = ['SKEIN_REDIS', 'REDIS_URL'] as const;
const HERE = 'redis://127.0.0.1:6379';
const PATIENCE_MS = 1000;

export const checkRedis: Check = async ({ env }) => {
  const variable = VARIABLES.find((name) => (env[name] ?? '') !== '');
  const text = variable === undefined ? HERE : env[variable]!;
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'redis:' && url.protocol !== 'rediss:')) {
    // Not shown whole: it may hold a password.
    return broken(
      NAME,
      false,
      `${variable} is not an address of Redis: it must start with redis:// or rediss://`,
      `export ${variable}=${HERE}`,
    );
  }
  const port = url.port === '' ? 6379 : Number(url.port);
  const place = `${url.hostname}:${port}`;
  const greeting = await ping(url, port);
  if (greeting === '+PONG') return ok(NAME, false, `answers at ${place}`);
  if (greeting?.startsWith('-NOAUTH')) return ok(NAME, false, `at ${place}, with a password`);
  if (variable !== undefined) {
    return broken(
      NAME,
      false,
      greeting === undefined
        ? `${variable} names ${place}, but nothing answers there`
        : `${variable} names ${place}, but the server there is not Redis`,
      `redis-cli -u ${url.protocol}//${place} ping, which must say PONG`,
    );
  }
  const program = await tryProgram('redis-server', ['--version']);
  if (program.absent) {
    return missing(
      NAME,
      'not installed; only a fleet needs it',
      installCommand('redis', thisSystem()),
    );
  }
  const version = /v=([\d.]+)/.exec(program.stdout)?.[1] ?? 'version unknown';
  return missing(
    NAME,
    `installed (${version}), but none answers at ${place}`,
    'redis-server --appendonly yes --daemonize yes',
  );
};

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

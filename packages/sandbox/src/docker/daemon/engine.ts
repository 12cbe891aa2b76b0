/** The Docker Engine that the node uses, and its failures as errors for a user. */
import { SkeinError } from '@skein/api';
import Docker from 'dockerode';

/**
 * @param host as in DOCKER_HOST (`unix:///run/docker.sock`, `tcp://10.0.0.7:2375`, `ssh://…`);
 *   default the environment's, else the socket of this machine.
 */
export function connectEngine(host: string | undefined): Docker {
  if (host === undefined) return new Docker();
  if (host.startsWith('unix://')) return new Docker({ socketPath: host.slice('unix://'.length) });
  const url = new URL(host);
  return new Docker({
    protocol:
      url.protocol === 'tcp:' ? 'http' : (url.protocol.slice(0, -1) as 'http' | 'https' | 'ssh'),
    host: url.hostname,
    port: url.port === '' ? 2375 : Number(url.port),
  });
}

/** Whether the daemon sees the paths of this machine. */
export function isLocal(host: string | undefined): boolean {
  const address = host ?? process.env['DOCKER_HOST'] ?? 'unix://';
  return address.startsWith('unix://') || address.startsWith('npipe://');
}

/** HTTP status of the daemon's answer; undefined when there was none. */
export function statusOf(error: unknown): number | undefined {
  return (error as { statusCode?: number } | undefined)?.statusCode;
}

/** A refusal or failure of the daemon, as an error for the reader. */
export function engineError(error: unknown, doing: string): SkeinError {
  if (error instanceof SkeinError) return error;
  const text = error instanceof Error ? error.message.trim() : String(error);
  if (statusOf(error) !== undefined) {
    return new SkeinError('SANDBOX_UNAVAILABLE', `The Docker daemon did not ${doing}: ${text}`, {
      cause: error,
    });
  }
  return new SkeinError(
    'SANDBOX_UNAVAILABLE',
    `The Docker daemon cannot be reached to ${doing}: ${text}`,
    {
      cause: error,
    },
  );
}

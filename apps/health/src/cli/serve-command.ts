/** `skein-health serve`: the service, until Ctrl-C. */
import { SkeinError } from '@skein/api';
import { untilAborted } from '@skein/api/waits';
import { createLogger } from '@skein/server';
import { readIssuers } from '../hooks/issuers.ts';
import { serveHealth } from '../service/serve.ts';
import type { Command, CommandOptions } from './options.ts';

export const runServe: Command = async (operands, options, { stdout, stderr, signal }) => {
  if (operands.length > 0) throw new SkeinError('USAGE', `serve takes no ${operands[0]}.`);
  if (options.clients === undefined) {
    throw new SkeinError('USAGE', 'serve needs --clients FILE: the issuers that may call.');
  }
  const logger = createLogger(stderr.isTTY === true ? 'pretty' : 'json');
  const health = await serveHealth({
    dataFolder: options.data,
    issuers: await readIssuers(options.clients),
    host: options.host,
    port: options.port,
    publicUrl: options.publicUrl,
    redis: options.redis,
    namespace: options.namespace,
    tls: tlsOf(options),
    origins: options.origins?.split(',').map((origin) => origin.trim()),
    logger,
  });
  const { url, version } = health;
  const discovery = `${url}/cds-services`;
  stdout.write(
    options.json
      ? `${JSON.stringify({ url, discovery, version, pid: process.pid })}\n`
      : `Discovery: ${discovery}\nVersion: ${version}\nNo medical device.\n`,
  );
  try {
    await untilAborted(signal);
  } finally {
    await health.close();
  }
  return 0;
};

function tlsOf({ tlsCert, tlsKey }: CommandOptions) {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new SkeinError('USAGE', '--tls-cert and --tls-key go together.');
  }
  return { certificate: tlsCert, key: tlsKey };
}

/**
 * Whether the node in this container accepts requests, or answers another path of health, which is the
 * argument. It is asked where it has noted that it answers; where it asks for a certificate, with
 * SKEIN_CERT and SKEIN_CERT_KEY.
 *
 * A platform runs this every few seconds, also while the machine is busy, so it loads nothing but Node.
 */
import { readFileSync } from 'node:fs';
import { request as overHttp } from 'node:http';
import { request as overHttps } from 'node:https';

const [path = '/v2/health/accepting'] = process.argv.slice(2);
const { SKEIN_DATA = '.skein', SKEIN_CERT, SKEIN_CERT_KEY } = process.env;

function fail(why: string): never {
  process.stderr.write(`${why}\n`);
  process.exit(1);
}

function urlOfNode(): string {
  const file = `${SKEIN_DATA}/node.json`;
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { url: string }).url;
  } catch {
    // It is written once the node listens.
    return fail(`${file} names no node: it has not started yet.`);
  }
}

const url = urlOfNode();
const read = (file: string | undefined) => (file === undefined ? undefined : readFileSync(file));
const request = url.startsWith('https:')
  ? overHttps(url + path, {
      cert: read(SKEIN_CERT),
      key: read(SKEIN_CERT_KEY),
      // Its certificate is for the name that its callers use, not for loopback; nothing secret is sent.
      rejectUnauthorized: false,
    })
  : overHttp(url + path);
request.on('response', ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1));
request.on('error', (error) => fail(error.message));
request.end();

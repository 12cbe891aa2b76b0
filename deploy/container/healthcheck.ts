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
const { url } = JSON.parse(readFileSync(`${SKEIN_DATA}/node.json`, 'utf8')) as { url: string };

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
request.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
request.end();

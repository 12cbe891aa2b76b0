/** One request of a caller with a key, over a connection of its own. */
import { request } from 'node:http';
import type { Sent } from './face.ts';

/** @param what names the place that was amplified. */
export function post(
  what: string,
  path: string,
  body: Buffer,
  headers: Readonly<Record<string, string>> = {},
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' = 'POST',
): Sent {
  return {
    what,
    bytes: body.length,
    send: ({ node: { target, key } }) =>
      new Promise((resolve) => {
        const sent = request({
          host: target.host,
          port: target.httpPort,
          method,
          path,
          headers: {
            ...headers,
            authorization: `Bearer ${key}`,
            'content-length': body.length,
            'skein-timeout-ms': '60000',
          },
          agent: false,
        });
        sent.on('response', (response) => {
          response.resume().on('close', () => resolve(`${response.statusCode}`));
        });
        sent.on('error', (error) => resolve(error.message));
        sent.end(body);
      }),
  };
}

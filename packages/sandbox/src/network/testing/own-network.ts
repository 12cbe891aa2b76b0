/**
 * Runs in a network of its own, whose addresses look public: asks a proxy for each address in argv,
 * as untrusted work would, and prints the answers and how many connections reached this machine.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { AllowList } from '../allow-list.ts';
import { Proxy } from '../proxy.ts';

let bytes = 0;
const upstream = createServer((socket) => {
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
}).listen(0, '0.0.0.0');
await once(upstream, 'listening');
const { port } = upstream.address() as AddressInfo;
const addresses = process.argv.slice(2);
const proxy = new Proxy({
  allow: new AllowList(addresses.map((address) => `${address}:${port}`)),
  trusted: false,
  report: () => undefined,
});
const server = createServer((client) => proxy.serve(client)).listen(0, '127.0.0.1');
await once(server, 'listening');
const answers: string[] = [];
for (const address of addresses) {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write(`CONNECT ${address}:${port} HTTP/1.1\r\n\r\nsecret`);
  answers.push((await text(socket)).replace(/^.*\r\n\r\n/s, '').trim());
}
console.log(JSON.stringify({ answers, bytes }));
process.exit(0);

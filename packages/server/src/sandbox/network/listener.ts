/** Run inside the network of a guest: listens there, hands what listens to the node, and is done. */
import { createServer } from 'node:net';

const [host, port] = process.argv.slice(2);
const server = createServer();
server.listen(Number(port), host, () => {
  process.send?.('listening', server, {}, () => process.exit(0));
});
server.on('error', (error) => {
  process.send?.(error.message, () => process.exit(1));
});

/**
 * Runs inside the network of a guest: bounds the buffers of its sockets, listens, passes the
 * listening socket to the node, and exits.
 */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';

/**
 * Most that a socket buffers in one direction, in bytes. Control groups of version 1 count the buffers of
 * TCP apart from the memory and do not hold them; with this, the connections that the proxy takes (64)
 * buffer 16 MiB in all. A window of 64 KiB over loopback still moves more than a gigabyte in a second.
 */
const BUFFER_BYTES = 65_536;
/** Connections in the accept queue. */
const BACKLOG = 64;

function boundBuffers(): void {
  const sizes = `4096 ${BUFFER_BYTES} ${BUFFER_BYTES}`;
  for (const direction of ['rmem', 'wmem']) {
    writeFileSync(`/proc/sys/net/ipv4/tcp_${direction}`, sizes);
  }
}

const fail = ({ message }: Error): void => void process.send?.(message, () => process.exit(1));
const [host, port] = process.argv.slice(2);
const server = createServer();
server.on('error', fail);
try {
  boundBuffers();
  server.listen(Number(port), host, BACKLOG, () => {
    process.send?.('listening', server, {}, () => process.exit(0));
  });
} catch (error) {
  fail(error as Error);
}

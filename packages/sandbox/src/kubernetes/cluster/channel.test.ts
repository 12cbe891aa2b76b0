import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Exec, KubeConfig } from '@kubernetes/client-node';
import { expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { openChannel } from './channel.ts';
import { Cluster } from './cluster.ts';

test.each([
  ['{"status":"Success"}', { status: 'Success' }],
  ['no such thing', { message: 'no such thing' }],
])(
  'a command has ended with the status %s, also where the server closes nothing',
  async (text, status) => {
    const server = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      handleProtocols: () => 'v5.channel.k8s.io',
    });
    await once(server, 'listening');
    server.on('connection', (client) => {
      client.send(Buffer.from('\u0001all of it', 'latin1'));
      client.send(Buffer.from(`\u0003${text}`, 'latin1'));
      client.pause();
    });
    const config = new KubeConfig();
    const { port } = server.address() as AddressInfo;
    config.loadFromClusterAndUser(
      { name: 'own', server: `http://127.0.0.1:${port}`, skipTLSVerify: true },
      { name: 'own' },
    );
    const { handler } = new Exec(config);
    try {
      const channel = await openChannel(new Cluster(config, handler), '/pods/one', 'main', [
        'true',
      ]);
      const output = channel.stdout.toArray();
      expect(await channel.ended).toEqual(status);
      expect(Buffer.concat(await output).toString()).toBe('all of it');
    } finally {
      for (const client of server.clients) client.terminate();
      server.close();
    }
  },
  10_000,
);

/** Starts a node with the deployments of this project; Ctrl-C drains and stops it. */
import { createClient } from '@skein/api';
import { startNode } from '@skein/server';
import { deploy } from './deploy.ts';

const { HOST: host = '127.0.0.1', PORT: port, DATA: dataFolder = 'data' } = process.env;
// Beyond this machine a node requires a key; `npx skein keys generate` makes one.
const key = process.env['SKEIN_ADMIN_KEY'];

const node = await startNode({
  host,
  // Without a port of yours, the node takes 4700 or the next free one.
  port: Number(port ?? 4700),
  portIsDefault: port === undefined,
  grpcPortIsDefault: true,
  dataFolder,
  ...(key === undefined ? {} : { givenKeys: [{ token: key, scope: 'admin' }] }),
});
await deploy(createClient({ url: node.url, ...(key === undefined ? {} : { key }) }));

console.log(`Ready at ${node.url}. Try:

  curl -s ${node.url}/v2/models/triage/infer -d '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":[0.2,1.4,3.1,0.7]}]}'`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void node.drain().then(() => process.exit()));
}

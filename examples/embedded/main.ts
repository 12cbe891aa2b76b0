/** Serves the app on port 3000: `npm run -w examples/embedded start`. */
import { join } from 'node:path';
import { serve } from '@hono/node-server';
import { mlp, writeModel } from '@skein/onnx';
import { openServing } from '@skein/serving';
import { COLUMNS, createApp } from './app.ts';

const serving = await openServing({ folder: join(import.meta.dirname, '.skein') });
const model = writeModel(mlp({ sizes: [COLUMNS, 16, 2], seed: 1 })); // or the path of your ONNX file
await serving.deploy('risk', model, { objective: { latencyMs: 100 } });
const server = serve({ fetch: createApp(serving).fetch, hostname: '127.0.0.1', port: 3000 });

process.once('SIGTERM', () => {
  server.close();
  void serving.close();
});

/** The deployments of this project: a model, and a composition that calls it. */
import { fileURLToPath } from 'node:url';
import type { Client } from '@skein/api';
import { mlp, writeModel } from '@skein/onnx';

export async function deploy(client: Client): Promise<void> {
  // An untrained network, so that the project runs at once. In its place, read a file of yours:
  // new Uint8Array(await readFile('model.onnx'))
  const content = new Uint8Array(writeModel(mlp({ sizes: [4, 16, 1], seed: 1 })));
  const model = await client.importModel({ name: 'risk', content });
  await client.deploy({
    name: 'risk',
    version: model.version,
    settings: { objective: { latencyMs: 100 } },
  });

  const modulePath = fileURLToPath(new URL('./triage.composition.ts', import.meta.url));
  const composition = await client.importComposition({ name: 'triage', modulePath });
  await client.deploy({
    name: 'triage',
    version: composition.version,
    settings: { objective: { latencyMs: 200 } },
  });
}

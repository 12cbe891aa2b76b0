/** Tests of pages whose node answers requests: one node for the file, whose deployment `risk` runs a model. */
import { startTestNode } from '../../../server/src/testing/test-node.ts';
import { onnxFile } from '../../../server/src/gateway/management/testing/start-management.ts';
import { it as base } from './console-page.ts';

export const it = base.extend('served', { scope: 'file' }, async ({}, { onCleanup }) => {
  const served = await startTestNode({ cores: 1 });
  onCleanup(() => served.close());
  await served.client.importModel({ name: 'risk', content: onnxFile(1) });
  await served.client.deploy({
    name: 'risk',
    version: '1',
    settings: { objective: { latencyMs: 20_000 }, replicas: { min: 1, max: 1 } },
  });
  return served;
});

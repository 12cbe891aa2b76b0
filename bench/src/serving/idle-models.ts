/** Memory that a small model takes beyond its weights once it is deployed and has answered. */
import { mlp, writeModel } from '@skein/onnx';
import { memoryOf, proportionalMemoryOf } from '../harness/memory.ts';
import type { NodeProcess } from '../harness/node.ts';

const MODELS = 12;
const SIZES = [64, 64, 8] as const;
const MIB = 2 ** 20;

/** MiB for each model, of all processes of the node. The first model is not counted. */
export interface IdleModels {
  /** Pages that are mapped several times counted once. */
  readonly mib: number;
  readonly residentMib: number;
}

export async function measureIdleModels(node: NodeProcess): Promise<IdleModels> {
  const content = writeModel(mlp({ sizes: SIZES, seed: 1 })) as Uint8Array<ArrayBuffer>;
  const deployOne = async (index: number): Promise<void> => {
    const name = `small-${index}`;
    const { version } = await node.client.importModel({ name, content });
    const settings = { threads: 1, replicas: { min: 1, max: 1 }, oversubscribe: true } as const;
    await node.client.deploy({ name, version, settings });
    await infer(node, name);
  };
  await deployOne(0);
  const memory = async () =>
    [await proportionalMemoryOf(node.pid), await memoryOf(node.pid)] as const;
  const before = await memory();
  for (let index = 1; index <= MODELS; index++) await deployOne(index);
  const after = await memory();
  for (let index = 0; index <= MODELS; index++)
    await node.client.undeploy({ name: `small-${index}` });
  const each = (at: 0 | 1): number =>
    ((after[at] - before[at]) / MODELS - content.byteLength) / MIB;
  return { mib: each(0), residentMib: each(1) };
}

async function infer(node: NodeProcess, name: string): Promise<void> {
  const metadata = (await (await fetch(`${node.url}/v2/models/${name}`)).json()) as {
    inputs: { name: string }[];
  };
  const inputs = [
    { name: metadata.inputs[0]!.name, shape: [1, 64], datatype: 'FP32', data: Array(64).fill(0) },
  ];
  const response = await fetch(`${node.url}/v2/models/${name}/infer`, {
    method: 'POST',
    body: JSON.stringify({ inputs }),
  });
  if (!response.ok) throw new Error(`${name}: ${await response.text()}`);
}

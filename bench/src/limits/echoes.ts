/** Deployments that give back their input, one for each kind of element. */
import { GraphBuilder, writeModel, type ElementType } from '@skein/onnx';
import type { NodeUnderAttack } from './node-under-attack.ts';

export const ECHOES = {
  floats: 'float32',
  strings: 'string',
  bools: 'bool',
  wide: 'int64',
} as const;

export type Echo = keyof typeof ECHOES;
export const DATATYPES: Record<Echo, string> = {
  floats: 'FP32',
  strings: 'BYTES',
  bools: 'BOOL',
  wide: 'INT64',
};

/** A model that gives back its input, a list of any length. */
export function echoModel(type: ElementType): Uint8Array<ArrayBuffer> {
  const graph = new GraphBuilder('echo');
  const x = graph.input('x', type, ['n']);
  graph.output('y', type, ['n']);
  graph.node('Identity', [x], {}, { outputs: ['y'] });
  return new Uint8Array(writeModel(graph.model()));
}

export async function deployEchoes({ client }: NodeUnderAttack): Promise<void> {
  for (const [name, type] of Object.entries(ECHOES)) {
    const { version } = await client.importModel({ name, content: echoModel(type) });
    const settings = {
      threads: 1,
      replicas: { min: 1, max: 1 },
      oversubscribe: true,
      objective: { latencyMs: 60_000 },
    };
    await client.deploy({ name, version, settings });
  }
}

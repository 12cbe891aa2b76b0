/** Subjects of the console's tests: a job, a model, a sandbox, and text that tries to be markup. */
import type { SandboxView } from '@skein/api';
import type { JobSpec } from '../../../jobs/src/contract.ts';
import { GraphBuilder, writeModel } from '@skein/onnx';

export const HOSTILE = '"><img src=x onerror="document.title=1"></script><b>';

export const SANDBOXES: readonly SandboxView[] = [
  {
    name: 'bubblewrap',
    available: false,
    reason: `bwrap is missing ${HOSTILE}`,
    fix: 'sudo apt-get install bubblewrap',
    untrusted: true,
    limits: {
      diskBytes: { enforced: false, by: 'no limit of the kernel', fix: 'Run skein doctor.' },
    },
  },
];

export const spec = (
  change: Partial<JobSpec> & { id?: string } = {},
): JobSpec & { id?: string } => ({
  queue: 'default',
  tenant: 'default',
  name: 'count',
  work: { kind: 'command', argv: ['echo', HOSTILE], inputs: [], outputs: [], limits: {} },
  priority: 0,
  resources: { cores: 1, memoryBytes: 1024 ** 3 },
  requires: [],
  retry: { maxAttempts: 1, backoffMs: 0, maxBackoffMs: 0 },
  parents: [],
  retentionMs: 3_600_000,
  ...change,
});

/** A model with these inputs; each of them is an output too. */
export function echoFile(inputs: readonly string[]): Uint8Array<ArrayBuffer> {
  const graph = new GraphBuilder('echo');
  for (const name of inputs) {
    const [same] = graph.node('Identity', [graph.input(name, 'float32', ['n'])]);
    graph.output(same, 'float32', ['n']);
  }
  return new Uint8Array(writeModel(graph.model()));
}

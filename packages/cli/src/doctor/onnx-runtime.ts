/** ONNX Runtime: whether it loads a graph and computes it rightly, on the CPU and with CUDA. */
import { GraphBuilder, tensor, values, writeModel } from '@skein/onnx';
import { nativeRuntime, RuntimeFailure } from '@skein/runtime';
import { broken, firstLine, missing, ok, tryProgram, type Check } from './check.ts';

/** y = x + x, for two numbers. */
function doubling(): Uint8Array {
  const graph = new GraphBuilder('doctor');
  const x = graph.input('x', 'float32', [2]);
  const [y] = graph.node('Add', [x, x], {}, { outputs: ['y'] });
  graph.output(y, 'float32', [2]);
  return writeModel(graph.model());
}

async function runDoubling(device: 'cpu' | 'cuda'): Promise<{ sum: number[]; computeMs: number }> {
  const session = await nativeRuntime.open(
    { bytes: doubling() },
    { device, threads: 1, isolation: 'process' },
  );
  try {
    const input = tensor('float32', [2], Float32Array.of(1.5, -2));
    const { outputs, computeMs } = await session.run(new Map([['x', input]]));
    const y = outputs.get('y');
    const sum = y === undefined || y.type === 'string' ? [] : Array.from(values(y), Number);
    return { sum, computeMs };
  } finally {
    await session.close();
  }
}

export const checkOnnxRuntime: Check = async () => {
  try {
    const { sum } = await runDoubling('cpu');
    if (sum[0] !== 3 || sum[1] !== -4) {
      return broken(
        'ONNX Runtime',
        true,
        `1.5 + 1.5 and -2 + -2 came out as ${sum.join(', ')}`,
        'npm ci',
      );
    }
    return ok('ONNX Runtime', true, 'loads a graph and computes it');
  } catch (error) {
    return broken('ONNX Runtime', true, reasonOf(error), 'npm ci (reinstalls onnxruntime-node)');
  }
};

export const checkCuda: Check = async () => {
  const driver = await tryProgram('nvidia-smi', [
    '--query-gpu=name,memory.total',
    '--format=csv,noheader',
  ]);
  if (driver.absent || driver.code !== 0) {
    const detail = driver.absent
      ? 'no NVIDIA driver (nvidia-smi) here'
      : firstLine(driver.stderr || driver.stdout);
    return missing('CUDA', detail, 'Not needed on a CPU; with an NVIDIA card, install its driver');
  }
  const card = firstLine(driver.stdout);
  try {
    await runDoubling('cuda');
    return ok('CUDA', false, card);
  } catch (error) {
    return broken(
      'CUDA',
      false,
      `${card}, but ${reasonOf(error)}`,
      'node node_modules/onnxruntime-node/script/install.js (fetches ONNX Runtime’s CUDA provider)',
    );
  }
};

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return error instanceof RuntimeFailure ? message : firstLine(message);
}

/** ONNX Runtime: whether it loads a graph and computes it correctly, on the CPU and with CUDA. */
import { GraphBuilder, tensor, values, writeModel } from '@skein/onnx';
import { describeDevices, nativeRuntime, RuntimeFailure, type DeviceReport } from '@skein/runtime';
import { broken, firstLine, missing, ok, tryProgram, type Check, type Finding } from './check.ts';

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
  const report = describeDevices().find(({ device }) => device === 'cuda')!;
  return findCuda(report, cardName, () => runDoubling('cuda'));
};

/**
 * Checks CUDA: the pieces that the runtime reports, and, when all are present, a run.
 *
 * @param card the name of the card, asked only when it is used.
 */
export async function findCuda(
  { available, detail, fix }: DeviceReport,
  card: () => Promise<string>,
  run: () => Promise<unknown>,
): Promise<Finding> {
  if (!available) return missing('CUDA', detail, fix ?? 'Nothing to do: a CPU serves without it');
  const name = await card();
  try {
    await run();
    return ok('CUDA', false, name);
  } catch (error) {
    return broken(
      'CUDA',
      false,
      `${name}, but ${reasonOf(error)}`,
      'Install CUDA 12 and cuDNN 9 where the dynamic linker finds them: `ldconfig -p | grep -E "libcudart.so.12|libcudnn.so.9"` must name both',
    );
  }
}

async function cardName(): Promise<string> {
  const driver = await tryProgram('nvidia-smi', [
    '--query-gpu=name,memory.total',
    '--format=csv,noheader',
  ]);
  return driver.code === 0 ? firstLine(driver.stdout) : 'a card that nvidia-smi does not name';
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return error instanceof RuntimeFailure ? message : firstLine(message);
}

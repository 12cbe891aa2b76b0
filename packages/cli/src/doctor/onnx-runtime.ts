/** ONNX Runtime: whether it loads a graph and computes it correctly, on the CPU and on each accelerator. */
import { GraphBuilder, tensor, values, writeModel } from '@skein/onnx';
import {
  type Accelerator,
  acceleratorOf,
  describeDevices,
  type Device,
  type DeviceReport,
  nativeRuntime,
  RuntimeFailure,
} from '@skein/runtime';
import { broken, check, firstLine, missing, ok, tryProgram, type Check } from './check.ts';

/** y = x + x, for two numbers. */
function doubling(): Uint8Array {
  const graph = new GraphBuilder('doctor');
  const x = graph.input('x', 'float32', [2]);
  const [y] = graph.node('Add', [x, x], {}, { outputs: ['y'] });
  graph.output(y, 'float32', [2]);
  return writeModel(graph.model());
}

async function runDoubling(device: Device): Promise<{ sum: number[]; computeMs: number }> {
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

export const checkOnnxRuntime = check('ONNX Runtime', true, async () => {
  try {
    const { sum } = await runDoubling('cpu');
    if (sum[0] !== 3 || sum[1] !== -4) {
      return broken(`1.5 + 1.5 and -2 + -2 came out as ${sum.join(', ')}`, 'npm ci');
    }
    return ok('loads a graph and computes it');
  } catch (error) {
    return broken(reasonOf(error), 'npm ci (reinstalls onnxruntime-node)');
  }
});

/** A check of each accelerator that the runtime supports. */
export const acceleratorChecks: readonly Check[] = describeDevices().flatMap((report) => {
  const accelerator = acceleratorOf(report.device);
  if (accelerator === undefined) return [];
  const run = () => runDoubling(report.device);
  return checkAccelerator(report, accelerator, () => cardName(accelerator), run);
});

/**
 * Checks an accelerator: the pieces that the runtime reports, and, when all are present, a run.
 *
 * @param card the name of the card, asked only when it is used.
 */
export function checkAccelerator(
  { available, detail, fix }: DeviceReport,
  { title, install }: Accelerator,
  card: () => Promise<string>,
  run: () => Promise<unknown>,
): Check {
  return check(title, false, async () => {
    if (!available) return missing(detail, fix ?? 'Nothing to do: a CPU serves without it');
    const name = await card();
    try {
      await run();
      return ok(name);
    } catch (error) {
      return broken(`${name}, but ${reasonOf(error)}`, install);
    }
  });
}

async function cardName({ identify: [program, ...args] }: Accelerator): Promise<string> {
  const driver = await tryProgram(program, args);
  return driver.code === 0 ? firstLine(driver.stdout) : `a card that ${program} does not name`;
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return error instanceof RuntimeFailure ? message : firstLine(message);
}

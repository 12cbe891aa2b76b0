/**
 * How much of the hardware's throughput reaches the clients: rows per second of the OCR recogniser
 * through the node, over the best that bare batched runs reach on the same one thread.
 */
import { Tensor } from 'onnxruntime-node';
import { closedLoop } from '../harness/h2load.ts';
import { median } from '../harness/statistics.ts';
import { bareSession } from './added-latency.ts';
import { binaryBody, type BenchModel } from './models.ts';
import type { NodeProcess } from '../harness/node.ts';

const BATCHES = [1, 2, 4, 8, 16];

/** Rows per second of the best batch size. */
async function bareCeiling(model: BenchModel, msPerBatch: number): Promise<number> {
  const session = await bareSession(model);
  let best = 0;
  for (const rows of BATCHES) {
    const data = new Float32Array(model.row.length * rows);
    for (let row = 0; row < rows; row += 1) data.set(model.row, row * model.row.length);
    const feeds = { [model.input]: new Tensor('float32', data, [rows, ...model.shape.slice(1)]) };
    await session.run(feeds);
    const begun = performance.now();
    let runs = 0;
    while (performance.now() - begun < msPerBatch) {
      await session.run(feeds);
      runs += 1;
    }
    best = Math.max(best, (rows * runs * 1000) / (performance.now() - begun));
  }
  await session.release();
  return best;
}

export interface Ceiling {
  readonly fraction: number;
  readonly bareRowsPerSecond: number;
  readonly servedRowsPerSecond: number;
}

/**
 * Alternates between the two and compares them round by round, so that a slower machine affects
 * both alike.
 */
export async function measureCeiling(
  node: NodeProcess,
  model: BenchModel,
  rounds: number,
  seconds: number,
): Promise<Ceiling> {
  const body = binaryBody(model);
  const bare: number[] = [];
  const served: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    bare.push(await bareCeiling(model, (seconds * 1000) / BATCHES.length));
    const result = await closedLoop({
      url: `${node.url}/v2/models/${model.name}/infer`,
      body: body.bytes,
      headers: body.headers,
      connections: 16,
      seconds,
      protocol: 'http1',
    });
    served.push(result.requestsPerSecond);
  }
  return {
    fraction: median(served.map((rate, round) => rate / (bare[round] ?? Number.NaN))),
    bareRowsPerSecond: median(bare),
    servedRowsPerSecond: median(served),
  };
}

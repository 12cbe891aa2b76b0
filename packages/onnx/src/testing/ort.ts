/** ONNX Runtime as the oracle. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { writeModel, type Model } from '../model/model.ts';

export async function ortSession(model: Model | Uint8Array): Promise<InferenceSession> {
  const bytes = model instanceof Uint8Array ? model : writeModel(model);
  return InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 4 });
}

/** Runs a model on float32 inputs; the outputs as plain numbers. */
export async function ortRun(
  model: Model,
  feeds: Record<string, Tensor>,
): Promise<Record<string, number[]>> {
  const session = await ortSession(model);
  const results = await session.run(feeds);
  const outputs = Object.entries(results).map(([name, { data }]) => [
    name,
    Array.from(data as Float32Array),
  ]);
  await session.release();
  return Object.fromEntries(outputs);
}

export { Tensor as OrtTensor };

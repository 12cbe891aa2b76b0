/** Milliseconds from starting the process to a ready deployment, with one model in the data folder. */
import { median } from '../harness/statistics.ts';
import type { BenchModel } from './models.ts';
import { deploy, launchSkein } from './servers.ts';

export async function measureColdStart(
  folder: string,
  model: BenchModel,
  times: number,
): Promise<number> {
  const first = await launchSkein(folder);
  await deploy(first, model, {});
  await first.stop();
  const starts: number[] = [];
  for (let i = 0; i < times; i += 1) {
    const node = await launchSkein(folder, `/v2/models/${model.name}/ready`);
    starts.push(node.startMs);
    await node.stop();
  }
  return median(starts);
}

/** Puts Silero VAD on a node, unless it is there. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { SkeinError, type Client } from '@skein/api';
import { MODEL } from './model.ts';

/** `input` [1, 576], `state` [2, 1, 128], `sr` → `output` [1, 1], `stateN` [2, 1, 128]. */
export const SILERO = join(
  dirname(createRequire(import.meta.url).resolve('@ricky0123/vad-web')),
  'silero_vad_v6.onnx',
);

export interface DeployOptions {
  /** Called with the current step, one short line each time. */
  readonly onProgress?: ((line: string) => void) | undefined;
}

/**
 * A stream waits for each answer before it can send its next window, and its state has the batch in
 * the second dimension, so nothing is batched. A window is 32 ms of audio: a live listener needs
 * the answer within that time.
 *
 * @throws SkeinError as the node does.
 */
export async function deployExample(client: Client, options: DeployOptions = {}): Promise<void> {
  if (await isDeployed(client)) return;
  options.onProgress?.(`deploying ${MODEL}`);
  const { version } = await client.importModel({ name: MODEL, content: await readFile(SILERO) });
  await client.deploy({
    name: MODEL,
    version,
    settings: { objective: { latencyMs: 32 }, batching: { maxRows: 1 } },
  });
}

async function isDeployed(client: Client): Promise<boolean> {
  try {
    await client.getDeployment({ name: MODEL });
    return true;
  } catch (error) {
    if (error instanceof SkeinError && error.code === 'MODEL_UNKNOWN') return false;
    throw error;
  }
}

/**
 * Goodput under overload for the OCR example: whole invoices, three times as many as it can read.
 *
 * One request is 26 runs of three networks through a composition, and a request that is refused in
 * the middle has already used processor time. So this measures more than the recogniser alone. The
 * settings are those that `npm start` deploys.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runLoad } from '@skein/load';
import { deployExample, sample } from '../../../examples/ocr/deploy.ts';
import { measureOverload, type Overload, type OverloadTarget } from './overload.ts';
import type { NodeProcess } from '../harness/node.ts';

const root = join(import.meta.dirname, '../../..');
const NAME = 'ocr';
/** Enough to keep every core at work, few enough to be answered within `PATIENCE_MS`. */
const CLIENTS = 6;
const PATIENCE_MS = 30_000;

/** @param seconds of the measured overload; its capacity is measured for half as long. */
export async function measureOcrOverload(node: NodeProcess, seconds: number): Promise<Overload> {
  await deployExample(node.client);
  const { settings } = await node.client.getDeployment({ name: NAME });
  const raw = { 'inference-header-content-length': '0' };
  const target: OverloadTarget = {
    port: node.port,
    path: `/v2/models/${NAME}/infer`,
    body: { bytes: await readFile(join(root, sample.image)), headers: raw },
    objectiveMs: settings.objective.latencyMs,
  };
  const saturated = await runLoad({
    target: {
      protocol: 'http',
      host: '127.0.0.1',
      port: target.port,
      path: target.path,
      // A closed loop of this many waits for longer than the objective allows.
      headers: { ...raw, 'skein-timeout-ms': String(PATIENCE_MS) },
      bodies: [target.body.bytes],
    },
    mode: { kind: 'closed', clients: CLIENTS },
    durationMs: seconds * 500,
    warmupMs: Math.min(1000, seconds * 250),
    timeoutMs: PATIENCE_MS,
    objectiveMs: PATIENCE_MS,
  });
  if (saturated.answered === 0) {
    throw new Error('The OCR example read no invoice in time: the machine does something else.');
  }
  return measureOverload(target, saturated.answeredPerSecond, seconds);
}

/**
 * Puts the example on a node: three networks, then the composition that calls them.
 *
 * Everything goes through the API that any client has. A second time it finds its versions by
 * digest and its deployments as they are, and changes nothing; settings that somebody has changed
 * since stay changed.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SkeinError, type Client, type DeploymentSettingsPatch } from '@skein/api';
import { CLASSIFIER, DETECTOR, RECOGNISER } from './models.ts';

export interface DeployOptions {
  /** Told what is being done, one short line each time. */
  readonly onProgress?: ((line: string) => void) | undefined;
}

/** What to try first: a path from the repository's root, and the line that sends it to a node. */
export const sample = {
  image: 'examples/ocr/images/invoice.png',
  /** @param url of the node, such as `http://127.0.0.1:4700`. */
  curl: (url: string): string =>
    `curl -s -H 'Inference-Header-Content-Length: 0' -H 'Accept: application/json' ` +
    `--data-binary @${sample.image} ${url}/v2/models/ocr/infer`,
};

/** Of the whole answer; each network is called with what is left of it. */
const OBJECTIVE = { latencyMs: 500 };

/**
 * Deploys `ocr-detect`, `ocr-orient`, `ocr-recognise` and `ocr`, whatever of it is missing.
 *
 * @throws SkeinError as the node does.
 */
export async function deployExample(client: Client, options: DeployOptions = {}): Promise<void> {
  const { onProgress = () => {} } = options;
  const { cores } = await client.getNode();
  const networks = Object.entries(networkSettings(cores));
  await Promise.all(
    networks.map(async ([name, { path, settings }]) => {
      const version = await storedVersion(client, name, path, onProgress);
      await ensureDeployed(client, name, version, settings, onProgress);
    }),
  );
  const modulePath = join(import.meta.dirname, 'ocr.composition.ts');
  const { version } = await client.importComposition({ name: 'ocr', modulePath });
  await ensureDeployed(client, 'ocr', version, { objective: OBJECTIVE }, onProgress);
}

/**
 * The networks of one request run one after another, so each may use all of the cores and the sum
 * may exceed them.
 *
 * The detector gets one picture at a time, and two threads, because nothing else of a request can run
 * meanwhile. The recogniser gets one thread and as many replicas as there are cores: a page has many
 * lines, and a line on one thread costs less than two on two. More than one row per run does not pay on a
 * CPU, where four lines no longer fit its cache (per line of 320 pixels: 21 ms alone, 28 ms in a
 * batch of four); the bound leaves it to the batcher, which measures, to find out where it does.
 */
function networkSettings(
  cores: number,
): Record<string, { path: string; settings: DeploymentSettingsPatch }> {
  const detectorThreads = Math.min(2, cores);
  return {
    'ocr-detect': {
      path: DETECTOR,
      settings: {
        objective: OBJECTIVE,
        threads: detectorThreads,
        replicas: { min: 1, max: Math.max(1, Math.floor(cores / detectorThreads)) },
        batching: { maxRows: 1 },
      },
    },
    'ocr-orient': {
      path: CLASSIFIER,
      settings: { objective: OBJECTIVE, replicas: { min: 1, max: 1 }, batching: { maxRows: 8 } },
    },
    'ocr-recognise': {
      path: RECOGNISER,
      settings: {
        objective: OBJECTIVE,
        replicas: { min: cores, max: cores },
        batching: { maxRows: 4 },
      },
    },
  };
}

/** The version of a model that has the file's bytes; stored when there is none yet. */
async function storedVersion(
  client: Client,
  name: string,
  path: string,
  onProgress: (line: string) => void,
): Promise<string> {
  const content = await readFile(path);
  const digest = createHash('sha256').update(content).digest('hex');
  const versions = await unlessUnknown(client.listVersions({ name }));
  const known = versions?.versions.find((version) => version.digest === digest);
  if (known !== undefined) return known.version;
  onProgress(`storing ${name} (${(content.byteLength / 2 ** 20).toFixed(1)} MiB)`);
  return (await client.importModel({ name, content })).version;
}

async function ensureDeployed(
  client: Client,
  name: string,
  version: string,
  settings: DeploymentSettingsPatch,
  onProgress: (line: string) => void,
): Promise<void> {
  const current = await unlessUnknown(client.getDeployment({ name }));
  if (current?.targets.some((target) => target.version === version) === true) return;
  onProgress(`deploying ${name}`);
  await client.deploy({ name, version, settings });
}

async function unlessUnknown<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof SkeinError && error.code === 'MODEL_UNKNOWN') return undefined;
    throw error;
  }
}

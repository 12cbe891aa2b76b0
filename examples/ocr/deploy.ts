/**
 * Deploys the example to a node: three networks, then the composition that calls them.
 *
 * It uses only the public API. A second run finds the same versions and deployments, and changes
 * nothing; settings that an operator has changed since are kept.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SkeinError, type Client, type DeploymentSettingsPatch } from '@skein/api';
import { CLASSIFIER, DETECTOR, RECOGNISER } from './models.ts';

export interface DeployOptions {
  /** Called with the current step, one short line each time. */
  readonly onProgress?: ((line: string) => void) | undefined;
}

/** The first example: a path from the repository's root, and the command that sends it to a node. */
export const sample = {
  image: 'examples/ocr/images/invoice.png',
  /** @param url of the node, such as `http://127.0.0.1:4700`. @param credential an option of `curl`. */
  curl: (url: string, credential = ''): string =>
    `curl -s${credential} -H 'Inference-Header-Content-Length: 0' -H 'Accept: application/json' ` +
    `--data-binary @${sample.image} ${url}/v2/models/ocr/infer`,
};

/** For a first picture on a cold or busy machine. */
const FIRST_TIMEOUT_MS = 30_000;

/**
 * Deploys the missing ones of `ocr-detect`, `ocr-orient`, `ocr-recognise` and `ocr`. Then
 * reads the sample once, so that the first request does not pay for one-time work.
 *
 * @throws SkeinError as the node does.
 */
export async function deployExample(client: Client, options: DeployOptions = {}): Promise<void> {
  const { onProgress = () => {} } = options;
  const { cores } = await client.getNode();
  const { networks, composition } = settingsFor(cores);
  await Promise.all(
    networks.map(async ({ name, path, settings }) => {
      const version = await storedVersion(client, name, path, onProgress);
      await ensureDeployed(client, name, version, settings, onProgress);
    }),
  );
  const modulePath = fileURLToPath(new URL('./ocr.composition.ts', import.meta.url));
  const { version } = await client.importComposition({ name: 'ocr', modulePath });
  await ensureDeployed(client, 'ocr', version, composition, onProgress);
  const image = await readFile(join(import.meta.dirname, 'images/invoice.png'));
  await client.infer(
    'ocr',
    { image: { shape: [1], data: [image] } },
    { timeoutMs: FIRST_TIMEOUT_MS },
  );
}

/**
 * The networks of one request run one after another, so each may use all of the cores and the sum
 * may exceed them.
 *
 * The detector sees one picture per request, and nothing else of that request can run meanwhile: two
 * threads. The recogniser gets one thread and a replica per core, because a page has many lines and
 * two lines on two threads each take longer than on one. Nothing is batched: on a CPU a second line
 * in a run costs as much as a run of its own, and four no longer fit the cache (per line of 320
 * pixels 21 ms alone, 28 ms in a batch of four; 15 % less processor time for a whole invoice). With a
 * GPU that is different, and `batching.maxRows` the setting to change: rows do not influence each other.
 */
function settingsFor(cores: number): {
  networks: { name: string; path: string; settings: DeploymentSettingsPatch }[];
  composition: DeploymentSettingsPatch;
} {
  // An invoice of 24 lines takes 0.55 s of processor time, a dense page three times as much. A promise
  // that only an idle machine keeps is none, so few cores promise less: 2 s on one, 1 s on two.
  const objective = { latencyMs: Math.max(500, 2000 / cores) };
  const batching = { maxRows: 1 };
  const threads = Math.min(2, cores);
  const network = (name: string, path: string, settings: DeploymentSettingsPatch) => ({
    name,
    path,
    // Together they have more threads than there are cores, and take turns: see above.
    settings: { objective, batching, oversubscribe: true, ...settings },
  });
  return {
    networks: [
      network('ocr-detect', DETECTOR, {
        threads,
        replicas: { min: 1, max: Math.max(1, Math.floor(cores / threads)) },
      }),
      network('ocr-orient', CLASSIFIER, { replicas: { min: 1, max: 1 } }),
      network('ocr-recognise', RECOGNISER, { replicas: { min: cores, max: cores } }),
    ],
    // Its own work is a twentieth of the networks'.
    composition: { objective, replicas: { min: 1, max: Math.ceil(cores / 8) } },
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

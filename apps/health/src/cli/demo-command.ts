/**
 * `skein-health demo`, which `npm run health` runs: four hospitals and a coordinator train a version on invented
 * patients, a FHIR server that is not ours has two charts, and the service answers for them, until Ctrl-C.
 */
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SkeinError } from '@skein/api';
import { makeFolders } from '@skein/api/folders';
import { untilAborted } from '@skein/api/waits';
import { createLogger, startNode } from '@skein/server';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { openFhirServer } from '../demo/fhir-server.ts';
import { INVENTED_IDS, inventedCharts } from '../demo/patients.ts';
import { issuersOf } from '../hooks/issuers.ts';
import { SERVICE_ID } from '../hooks/messages.ts';
import { serveHealth } from '../service/serve.ts';
import { federateVersion } from '../training/federate-version.ts';
import { generatedHospitals, readHospitals } from '../training/heart-rows.ts';
import { giveLabel, labelled, storeVersion } from '../training/version-store.ts';
import type { Command, CommandOptions, Terminal } from './options.ts';

/** Budget of training, and again of counting. */
const EPSILON = 1.5;
/** Hospitals four times as large as the real ones, so that noise leaves them something to promise. */
const TIMES = 4;
const SITE = 'cleveland';

export const runDemo: Command = async (operands, options, terminal) => {
  if (operands.length > 0) throw new SkeinError('USAGE', `demo takes no ${operands[0]}.`);
  const { stdout, stderr, signal } = terminal;
  const print = (text: string): void => void stdout.write(`${text}\n`);
  const folder = options.data;
  await makeFolders(folder, 0o700);
  const closing: (() => unknown)[] = [];
  try {
    const nodeFolder = join(folder, 'coordinator');
    const node = await startNode({
      dataFolder: nodeFolder,
      queues: [],
      log: 'json',
      logLevel: 'error',
    });
    closing.push(() => node.drain());
    print(`Coordinator: ${node.url}`);
    await ensureVersion(options, terminal, node.url, nodeFolder);

    const fhir = await openFhirServer();
    closing.push(() => fhir.close());
    for (const resource of inventedCharts(Date.now())) await fhir.create(resource);
    print(`FHIR server: ${fhir.url}, patients ${INVENTED_IDS.join(' and ')}`);

    const { publicKey, privateKey } = await generateKeyPair('ES384', { extractable: true });
    const iss = `https://ehr.${SITE}.invalid`;
    const keys = [{ ...(await exportJWK(publicKey)), kid: 'demo', alg: 'ES384' }];
    const issuer = { iss, site: SITE, keys, fhirServers: [fhir.url] };
    const health = await serveHealth({
      dataFolder: join(folder, 'service'),
      issuers: issuersOf({ issuers: [issuer] }, 'demo'),
      host: options.host,
      port: options.port,
      logger: createLogger(stderr.isTTY === true ? 'pretty' : 'json', 'error'),
    });
    closing.push(() => health.close());
    print(`Service: ${health.url}/cds-services, version ${health.version.slice(0, 12)}`);
    for (const patientId of INVENTED_IDS) {
      const address = `${health.url}/cds-services/${SERVICE_ID}`;
      const token = await new SignJWT({ jti: randomUUID() })
        .setProtectedHeader({ alg: 'ES384', typ: 'JWT', kid: 'demo' })
        .setIssuer(iss)
        .setAudience(address)
        .setIssuedAt()
        .setExpirationTime('5 minutes')
        .sign(privateKey);
      const response = await fetch(address, {
        method: 'POST',
        headers: { Authorization: `Bearer ${token}` },
        body: JSON.stringify({
          hook: 'patient-view',
          hookInstance: randomUUID(),
          fhirServer: fhir.url,
          context: { userId: 'Practitioner/demo', patientId },
        }),
      });
      const text = await response.text();
      const file = join(folder, `card-${patientId}.json`);
      await writeFile(file, text, { mode: 0o600 });
      print(
        `Patient ${patientId}: ${/"summary":"([^"]+)"/.exec(text)?.[1] ?? 'no card'}, in ${file}`,
      );
    }
    print(
      `\nnpx skein-health verify ${join(folder, `card-${INVENTED_IDS[0]}.json`)} --data ${join(folder, 'service')}`,
    );
    print('derives a card again. No medical device. Ctrl-C ends all of it.');
    await untilAborted(signal);
  } finally {
    for (const close of closing.toReversed()) await close();
  }
  return 0;
};

/** Federates a version, unless the folder has one from an earlier start. */
async function ensureVersion(
  { data, rows, seed }: CommandOptions,
  { stdout }: Terminal,
  nodeUrl: string,
  nodeFolder: string,
): Promise<void> {
  const service = join(data, 'service');
  const kept = await labelled(service).catch(() => undefined);
  if (kept !== undefined) return;
  const hospitals = rows === undefined ? generatedHospitals(TIMES) : await readHospitals(rows);
  for (const [name, patients] of Object.entries(hospitals)) {
    stdout.write(
      `Hospital ${name}: ${patients.length} ${rows === undefined ? 'invented ' : ''}patients\n`,
    );
  }
  const trained = await federateVersion({
    nodeUrl,
    nodeFolder,
    hospitals,
    folder: join(data, 'hospitals'),
    epsilon: EPSILON,
    rounds: 12,
    seed,
    source: rows === undefined ? 'generated patients' : 'UCI heart disease, dataset 45',
    progress: (text) => void stdout.write(`  ${text}\n`),
  });
  await makeFolders(service, 0o700);
  await giveLabel(service, await storeVersion(service, trained));
}

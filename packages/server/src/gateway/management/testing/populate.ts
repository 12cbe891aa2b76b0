/** The objects that the examples of the endpoints act on. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ENDPOINTS, type Client, type EndpointOf, type OperationId } from '@skein/api';
import { mlp, writeModel } from '@skein/onnx';
import { assemblePublic } from '@skein/train';
import { onTestFinished, vi } from 'vitest';
import { groupOf } from '../../../../../api/src/endpoints.ts';
import { testFolder } from '../../../../../../scripts/testing/folder.ts';
import { onnxFile } from './start-management.ts';

const runExample = ENDPOINTS.putRun.example
  .body as unknown as EndpointOf<'putRun'>['body']['_input'];

/** Creates what the examples act on, and returns the ids that it was given. */
export async function populate(
  client: Client,
  operation: OperationId,
): Promise<{ id: string; federation?: string; modulePath: string }> {
  const group = groupOf(operation);
  const modulePath = join(testFolder(), 'ocr.ts');
  await writeFile(modulePath, 'export const composition = defineComposition({});');
  const { id } = await client.createKey({ label: 'to be revoked' });
  if (group === 'Jobs' || group === 'Artifacts') await populateJobs(client);
  else if (group === 'Data sets') await populateDataSets(client);
  else if (group === 'Runs') {
    await client.putRun({ ...ENDPOINTS.putRun.example.params, ...runExample });
  } else if (group === 'Language models') await populateLanguageModels(client, operation);
  else if (group === 'Federations') {
    return { id, federation: await populateFederation(client), modulePath };
  } else if (group !== 'Keys') await populateModels(client);
  return { id, modulePath };
}

async function populateDataSets(client: Client): Promise<void> {
  await client.uploadArtifact({ content: new Uint8Array() });
  const { params, body } = ENDPOINTS.addDataVersion.example;
  await client.addDataVersion({ ...params, contents: structuredClone(body.contents) as never });
}

/** The declarations of the examples, but for that which the operation makes. */
async function populateLanguageModels(client: Client, operation: OperationId): Promise<void> {
  vi.stubEnv('GEMINI_API_KEY', 'secret');
  onTestFinished(() => void vi.unstubAllEnvs());
  const { putProvider, putLanguageModel, putBudget, putTenantProviders, putRedaction } = ENDPOINTS;
  const { putStoredResponses } = ENDPOINTS;
  await client.putProvider({ ...putProvider.example.params, ...putProvider.example.body });
  await client.putProvider({ name: 'local', kind: 'openai', baseUrl: 'http://127.0.0.1:9/v1' });
  if (operation !== 'removeProvider') {
    const { params, body } = putLanguageModel.example;
    await client.putLanguageModel({ ...params, routes: structuredClone(body.routes) as never });
  }
  if (operation === 'rollBackLanguageModel') {
    const rollout = ENDPOINTS.rollOutLanguageModel.example;
    await client.rollOutLanguageModel({ ...rollout.params, route: { ...rollout.body.route } });
  }
  await client.putBudget({ ...putBudget.example.params, ...putBudget.example.body });
  const { params, body } = putTenantProviders.example;
  await client.putTenantProviders({ ...params, providers: [...body.providers] });
  await client.putRedaction({ ...putRedaction.example.params, ...putRedaction.example.body });
  await client.putStoredResponses(putStoredResponses.example.body);
}

/** @returns the id of a federation by the example. */
async function populateFederation(client: Client): Promise<string> {
  const { model, version, plan } = ENDPOINTS.startFederation.example.body;
  const data = structuredClone(plan.data) as never;
  const made = assemblePublic(
    data,
    ({ inputs, outputs, seed }) => mlp({ sizes: [inputs, outputs], seed }),
    1,
  );
  await client.importModel({ name: model, content: new Uint8Array(writeModel(made)) });
  return (await client.startFederation({ model, version, plan: structuredClone(plan) as never }))
    .id;
}

async function populateModels(client: Client): Promise<void> {
  for (const name of ['risk', 'ocr']) {
    for (const seed of [1, 2, 3]) await client.importModel({ name, content: onnxFile(seed) });
    await client.deploy({ name, version: '3' });
    await client.deploy({ name, version: '2' });
  }
}

async function populateJobs(client: Client): Promise<void> {
  const work = { kind: 'command' as const, argv: ['true'] };
  await client.enqueueJobs({
    jobs: [
      { id: 'job-1', work },
      { id: 'job-2', work },
    ],
  });
  await client.cancelJob({ id: 'job-2' });
  await client.putSchedule({ schedule: 'nightly', cron: '0 3 * * *', job: { work } });
  await client.uploadArtifact({ content: new Uint8Array() });
}

/** Calls of the API reference: the operations that have a form, and the code of three clients against a real node. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createOpenApiDocument, ENDPOINTS } from '@skein/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  startManagement,
  type TestNode,
} from '../packages/server/src/gateway/management/testing/start-management.ts';
import { requireComponent } from '../scripts/testing/components.ts';
import { testFolder } from '../scripts/testing/folder.ts';
import { type Call, CLIENTS, CODE, headersOf, urlOf } from './.vitepress/calls/call.ts';
import { operationsOf, type Operation } from './.vitepress/calls/operation.ts';

const run = promisify(execFile);
const operations = operationsOf(createOpenApiDocument('1.2.3'));
const NODE = 'http://127.0.0.1:4700';

/** The call that the form of an operation begins with. */
function prefilled(operation: Operation, base = NODE): Call {
  return {
    operation,
    base,
    hasKey: false,
    values: Object.fromEntries(operation.parameters.map(({ name, example }) => [name, example])),
    body: operation.json === undefined ? undefined : { json: operation.json },
  };
}

const called = (id: string, base?: string): Call => prefilled(operations.get(id)!, base);

describe('the form of an operation', () => {
  it('is there for every endpoint, with all that its address needs', () => {
    expect([...operations.keys()]).toEqual(expect.arrayContaining(Object.keys(ENDPOINTS)));
    const incomplete = [...operations.values()].filter(({ parameters }) =>
      parameters.some(({ in: place, example }) => place === 'path' && example === ''),
    );
    expect(incomplete).toEqual([]);
  });

  it('begins with calls that the node of npm start answers, and with none that changes its deployments', () => {
    expect(urlOf(called('modelMetadata'))).toBe(`${NODE}/v2/models/ocr`);
    expect(urlOf(called('deploymentTraffic'))).toBe(
      `${NODE}/api/v1/deployments/ocr/traffic?range=day`,
    );
    expect(urlOf(called('repositoryUnload'))).toBe(`${NODE}/v2/repository/models/risk/unload`);
    expect(urlOf(called('undeploy'))).toBe(`${NODE}/api/v1/deployments/risk`);
  });

  it('sends a file as the only input of a model', () => {
    const call: Call = { ...called('infer'), body: { file: 'sign.jpg' } };
    expect(headersOf(call)).toEqual({
      Accept: 'application/json',
      'Inference-Header-Content-Length': '0',
    });
  });
});

const missing = (['curl', 'python3-requests'] as const).some(
  (component) => requireComponent(component).skip,
);

describe.skipIf(missing)('the code of a call', () => {
  let node: TestNode;
  let keyed: TestNode;
  let key: string;
  const folder = testFolder();

  beforeAll(async () => {
    node = await startManagement();
    keyed = await startManagement({ access: 'keys' });
    key = (await keyed.keys.create({ label: 'reader', tenant: 'default', scopes: ['admin'] }))
      .secret;
    await writeFile(join(folder, 'it is.csv'), 'a,b\n1,2\n');
  });
  afterAll(async () => {
    await node?.close();
    await keyed?.close();
  });

  /** The output of a client. */
  async function printed(client: (typeof CLIENTS)[number], call: Call): Promise<string> {
    const code = CODE[client](call);
    const [program, args] = {
      curl: ['sh', ['-c', code]],
      Python: ['/usr/bin/python3', ['-c', code]],
      TypeScript: [process.execPath, ['--input-type=module-typescript', '-e', code]],
    }[client] as [string, string[]];
    const { stdout } = await run(program, args, {
      cwd: folder,
      env: { ...process.env, SKEIN_KEY: key },
    });
    return stdout.trim();
  }

  describe.each(CLIENTS)('of %s', (client) => {
    it('reads', async () => {
      expect(await printed(client, called('listDeployments', node.url))).toContain(
        '{"deployments":[',
      );
    });

    it('sends a JSON body with every kind of value', async () => {
      const job = {
        name: `it's "true"\n`,
        priority: 1,
        work: { kind: 'command', argv: ['true', 'null'] },
      };
      const json = JSON.stringify({ jobs: [job] }, null, 2);
      const call = { ...called('enqueueJobs', node.url), body: { json } };
      const answer = await printed(client, call);
      expect(answer).toContain(JSON.stringify(job.name));
    });

    it('sends a text that is no JSON as it is', async () => {
      const call = { ...called('enqueueJobs', node.url), body: { json: '{"jobs": [' } };
      expect(await printed(client, call)).toContain('BODY_NOT_JSON');
    });

    it('sends a file', async () => {
      const call = { ...called('uploadArtifact', node.url), body: { file: 'it is.csv' } };
      expect(await printed(client, call)).toContain('"sizeBytes":8');
    });

    it('sends the key from the environment, and no key without one', async () => {
      const call = called('listDeployments', keyed.url);
      expect(await printed(client, call)).toContain('KEY_MISSING');
      expect(await printed(client, { ...call, hasKey: true })).toContain('{"deployments":[');
    });
  });
});

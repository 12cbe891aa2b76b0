/** `skein deploy` of addresses that require credentials, with the servers of models and tokens on loopback. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { mlp, writeModel } from '@skein/onnx';
import { describe, expect, it, onTestFinished } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { createAuthority, temporaryFolder } from '../../../http/src/tls/testing/authority.ts';
import { startNodeProcess } from '../../../server/src/testing/node-process.ts';
import { startGcsServer } from '../../../state/src/artifacts/testing/gcs-server.ts';
import { runCli, type CliOutcome } from '../testing/cli.ts';

const openssl = requireComponent('openssl');
const MODEL = writeModel(mlp({ sizes: [2, 3], seed: 5 }));
const TOKEN = 'of-the-team';
/** A token as Google's endpoints answer it. */
const GRANTED = { access_token: TOKEN, expires_in: 3600, token_type: 'Bearer' };

/** Listens until the test ends. @returns its port. */
async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A node, and a certificate of localhost that the command trusts. */
async function place() {
  const folder = temporaryFolder();
  const authority = createAuthority(folder, 'ca');
  const issued = authority.issue('server');
  const tls = {
    key: readFileSync(issued.key, 'utf8'),
    cert: readFileSync(issued.certificate, 'utf8'),
  };
  const node = await startNodeProcess();
  onTestFinished(() => void node.stop());
  const deploy = (words: readonly string[], env: Readonly<Record<string, string>>) =>
    runCli(['deploy', ...words, '--name', 'risk', '--allow-private', '--oversubscribe'], {
      cwd: node.folder,
      env: { NODE_EXTRA_CA_CERTS: authority.certificate, HOME: folder, ...env },
    });
  return { folder, tls, node, deploy };
}

/** Answers with the model where the request has the token, and notes each token. */
const guarded =
  (seen: (string | undefined)[]): RequestListener =>
  ({ headers }, response) => {
    seen.push(headers.authorization);
    if (headers.authorization === `Bearer ${TOKEN}`) response.end(MODEL);
    else response.writeHead(401).end();
  };

const printed = ({ stdout, stderr }: CliOutcome): string => stdout + stderr;

describe.skipIf(openssl.skip)(`credentials of an address ${openssl.reason}`, () => {
  it('come from the variable that --token-env names, and appear in no output', async () => {
    const { tls, node, deploy } = await place();
    const seen: (string | undefined)[] = [];
    const port = await listening(createTlsServer(tls, guarded(seen)));
    const address = `https://localhost:${port}/risk.onnx`;
    const named = [address, '--token-env', 'RISK_TOKEN'];

    expect(await deploy([address], { RISK_TOKEN: TOKEN })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/SOURCE_DENIED[^]*--token-env/),
    });
    const wrong = await deploy(named, { RISK_TOKEN: 'of-another-team' });
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('SOURCE_DENIED') });
    expect(printed(wrong)).not.toContain('of-another-team');
    const unset = await deploy(named, {});
    expect(unset.stderr).toMatch(/--token-env names RISK_TOKEN, and this variable is not set/);
    const plain = [address.replace('https:', 'http:'), ...named.slice(1)];
    const refused = await deploy(plain, { RISK_TOKEN: TOKEN });
    expect(refused.stderr).toMatch(/sent over TLS only: write https:/);
    expect(seen).toEqual([undefined, 'Bearer of-another-team']);

    const deployed = await deploy(named, { RISK_TOKEN: TOKEN });
    expect(deployed).toMatchObject({ code: 0 });
    expect(printed(deployed)).not.toContain(TOKEN);
    const { versions } = await node.client.listVersions({ name: 'risk' });
    const digest = createHash('sha256').update(MODEL).digest('hex');
    expect(versions).toMatchObject([{ digest, metadata: { sourceAddress: address } }]);
    expect(JSON.stringify(versions)).not.toContain(TOKEN);
  }, 60_000);

  it.each([
    ['s3://models/risk.onnx', 'AWS_ACCESS_KEY_ID'],
    ['gs://models/risk.onnx', 'GOOGLE_APPLICATION_CREDENTIALS'],
    ['hf://owner/risk', 'HF_TOKEN'],
    ['risk.onnx', 'none is given'],
  ])('of %s are not the token of --token-env, which is refused', async (address, where) => {
    const { deploy } = await place();
    const refused = await deploy([address, '--token-env', 'RISK_TOKEN'], { RISK_TOKEN: TOKEN });
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(where) });
    expect(refused.stderr).toContain('Leave --token-env out');
  });

  it('of a bucket of Google come from the file of GOOGLE_APPLICATION_CREDENTIALS, or the machine', async () => {
    const { folder, tls, node, deploy } = await place();
    await using bucket = await startGcsServer({ tls, token: TOKEN });
    bucket.buckets.set('models', new Map());
    bucket.store('models', 'team/risk.onnx', MODEL);
    const address = `gs://models/team/risk.onnx?endpoint=${bucket.endpoint}`;

    // Workload identity federation: RFC 8693, as the security token service of Google takes it.
    const exchanges: URLSearchParams[] = [];
    const service = await listening(
      createTlsServer(tls, (request: IncomingMessage, response) => {
        void text(request).then((body) => {
          exchanges.push(new URLSearchParams(body));
          const issued = { issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' };
          response
            .setHeader('content-type', 'application/json')
            .end(JSON.stringify({ ...GRANTED, ...issued }));
        });
      }),
    );
    const subject = join(folder, 'subject');
    writeFileSync(subject, 'signed-by-the-cluster');
    const credentials = join(folder, 'credentials.json');
    const audience =
      '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q';
    writeFileSync(
      credentials,
      JSON.stringify({
        type: 'external_account',
        audience,
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        token_url: `https://localhost:${service}/v1/token`,
        credential_source: { file: subject },
      }),
    );
    const none = { METADATA_SERVER_DETECTION: 'none' };
    const byFile = { ...none, GOOGLE_APPLICATION_CREDENTIALS: credentials };
    expect(await deploy([address], byFile)).toMatchObject({ code: 0 });
    expect(exchanges.map((each) => Object.fromEntries(each))).toEqual([
      expect.objectContaining({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        audience,
        scope: 'https://www.googleapis.com/auth/devstorage.read_only',
        subject_token: 'signed-by-the-cluster',
      }),
    ]);

    const asked: (string | undefined)[] = [];
    const metadata = await listening(
      createServer(({ url, headers }, response) => {
        const isToken = url?.includes('/service-accounts/default/token') ?? false;
        if (isToken) asked.push(headers['metadata-flavor'] as string | undefined);
        response
          .setHeader('metadata-flavor', 'Google')
          .setHeader('content-type', 'application/json');
        response.end(JSON.stringify(isToken ? GRANTED : {}));
      }),
    );
    const byMachine = await deploy([address], { GCE_METADATA_HOST: `127.0.0.1:${metadata}` });
    expect(byMachine).toMatchObject({ code: 0 });
    expect(asked).toEqual(['Google']);

    const refused = await deploy([address], none);
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/SOURCE_DENIED[^]*GOOGLE_APPLICATION_CREDENTIALS/),
    });
    expect((await node.client.listVersions({ name: 'risk' })).versions).toHaveLength(1);
  }, 60_000);
});

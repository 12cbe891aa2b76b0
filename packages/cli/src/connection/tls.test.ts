/** A node over TLS by the command line: its own commands, commands of other machines, a browser. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import type { DeploymentView } from '@skein/api';
import { mlp, writeModel } from '@skein/onnx';
import { launchBrowser, problemsOf } from '../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import {
  createAuthority,
  install,
  type Authority,
  type Issued,
} from '../../../http/src/tls/testing/authority.ts';
import { startNodeProcess, type NodeProcess } from '../../../server/src/testing/node-process.ts';
import { runCli, type CliOutcome } from '../testing/cli.ts';
import type { BenchResult } from '../output/bench.ts';

const openssl = requireComponent('openssl');
const browser = requireComponent('chromium');
const words = (line: string): string[] => line.split(' ');

describe.skipIf(openssl.skip)('a node over TLS', () => {
  let folder: string;
  let node: NodeProcess;
  let authority: Authority;
  let files: Issued;

  beforeAll(async () => {
    folder = testFolder();
    authority = createAuthority(folder, 'ca');
    files = { certificate: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
    // Its certificate is for another name: commands on the data folder trust the certificate
    // itself.
    install(authority.issue('first', { san: 'DNS:skein.example.com' }), files);
    node = await startNodeProcess({
      args: words(`--tls-cert ${files.certificate} --tls-key ${files.key}`),
    });
    writeFileSync(join(node.folder, 'm.onnx'), writeModel(mlp({ sizes: [4, 8, 3], seed: 1 })));
  });
  afterAll(() => node?.stop());

  /** From a folder that holds nothing of the node. */
  const elsewhere = (line: string, env: Record<string, string> = {}): Promise<CliOutcome> =>
    runCli([...words(line), '--server', node.url], { cwd: folder, env });

  it('accepts commands of its own machine, for any name in its certificate', async () => {
    expect(node.url).toMatch(/^https:\/\/127\.0\.0\.1:/);
    const deployed = await node.run(...words('deploy m.onnx --name m --objective 5s'));
    expect([deployed.code, deployed.stderr]).toEqual([0, '']);
    expect((await node.run(...words('infer m -i x=[1,2,3,4]'))).code).toBe(0);
    // Variables of the environment for other nodes are ignored here.
    const env = { SKEIN_CA: files.key };
    expect((await runCli(['ls'], { cwd: node.folder, env })).code).toBe(0);
    const shown = await node.json<{ deployment: DeploymentView }>('show', 'm');
    expect(shown.deployment.status).toBe('ready');
  });

  it.each(['binary', 'grpc'])('is measured over %s', async (protocol) => {
    const { at } = await node.json<BenchResult>(
      ...words(
        `bench m --rate 50 --arrivals constant --protocol ${protocol} --duration 300ms --warmup 100ms`,
      ),
    );
    expect(at?.failed).toEqual({});
    expect(at?.answered).toBe(15);
  });

  it('is trusted from elsewhere by its CA, and reloads its certificate on SIGHUP', async () => {
    const unknown = await elsewhere('ls');
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('(TLS_FAILED)')]);
    expect(unknown.stderr).toContain('--ca');
    const named = await elsewhere(`ls --ca ${authority.certificate}`);
    expect(named.stderr).toContain('ERR_TLS_CERT_ALTNAME_INVALID');

    install(authority.issue('second'), files);
    process.kill(node.pid, 'SIGHUP');
    await expect
      .poll(() => elsewhere(`ls --names --ca ${authority.certificate}`), { timeout: 10_000 })
      .toMatchObject({ code: 0, stdout: 'm\n' });
    const byEnvironment = await elsewhere('infer m -i x=[1,2,3,4]', {
      SKEIN_CA: authority.certificate,
    });
    expect(byEnvironment.code).toBe(0);
    const byNode = await elsewhere('ls', { NODE_EXTRA_CA_CERTS: authority.certificate });
    expect(byNode.code).toBe(0);
    // The note in the data folder has followed.
    await expect.poll(async () => (await node.run('ls')).code, { timeout: 10_000 }).toBe(0);
    const url = node.url.replace('https', 'http');
    const plain = await runCli(['ls', '--server', url], { cwd: folder });
    expect(plain.stderr).toContain('(NODE_UNREACHABLE)');
  });

  it.skipIf(browser.skip)('shows its console in a browser', { timeout: 60_000 }, async () => {
    const chrome = await launchBrowser();
    try {
      const page = await chrome.newPage({ ignoreHTTPSErrors: true });
      const problems = problemsOf(page);
      await page.goto(`${node.url}/`);
      await page.getByText('m', { exact: true }).first().waitFor();
      // Through the browser's own origin check: a change, and its event.
      const answer = await page.evaluate(async () => {
        const response = await fetch('/v2/models/m/infer', {
          method: 'POST',
          body: JSON.stringify({
            inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }],
          }),
        });
        return response.status;
      });
      expect(answer).toBe(200);
      expect(problems).toEqual([]);
    } finally {
      await chrome.close();
    }
  });
});

describe.skipIf(openssl.skip)('mutual TLS by the command line', () => {
  it('keeps a command out that presents no certificate, and lets one in that does', async () => {
    const folder = testFolder();
    const authority = createAuthority(folder, 'ca');
    const { certificate, key } = authority.issue('node');
    const own = authority.issue('operator', { san: 'DNS:operator' });
    const node = await startNodeProcess({
      args: words(
        `--tls-cert ${certificate} --tls-key ${key} --tls-client-ca ${authority.certificate}`,
      ),
    });
    onTestFinished(async () => void (await node.stop()));
    const without = await node.run('ls');
    expect([without.code, without.stderr]).toEqual([
      1,
      expect.stringMatching(/client certificate|\(TLS_FAILED\)/),
    ]);
    const presented = ['--cert', own.certificate, '--cert-key', own.key];
    expect((await node.run('ls', ...presented)).code).toBe(0);
    const half = await node.run('ls', '--cert', own.certificate);
    expect([half.code, half.stderr]).toEqual([2, expect.stringContaining('--cert-key')]);
  });
});

describe.skipIf(openssl.skip)('skein up', () => {
  it('refuses files that it cannot serve, and names them', async () => {
    const folder = testFolder();
    const authority = createAuthority(folder, 'ca');
    const { certificate, key } = authority.issue('old', { ends: '20210101000000Z' });
    const up = (...args: string[]): Promise<CliOutcome> =>
      runCli(['up', '--port', '0', '--grpc-port', '0', ...args], { cwd: folder });
    const expired = await up('--tls-cert', certificate, '--tls-key', key);
    expect([expired.code, expired.stderr]).toEqual([1, expect.stringContaining('(TLS_INVALID)')]);
    expect(expired.stderr).toContain('expired');
    const away = await up('--tls-cert', certificate, '--tls-key', 'none.key');
    expect(away.stderr).toContain('(FILE_UNREADABLE)');
    expect((await up('--tls-cert', certificate)).code).toBe(2);
    expect((await up('--tls-client-ca', certificate)).code).toBe(2);
  });
});

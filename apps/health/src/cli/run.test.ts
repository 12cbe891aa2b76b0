import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { ISS, serving, signer, tokenOf, viewOf } from '../testing/serving.ts';
import { runCommandLine } from './run.ts';

async function run(args: readonly string[], signal = new AbortController().signal) {
  let [out, err] = ['', ''];
  const code = await runCommandLine(args, {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    signal,
  });
  return { code, out, err };
}

it('explains itself, and refuses what it does not know', async () => {
  expect(await run(['--help'])).toMatchObject({
    code: 0,
    out: expect.stringContaining('No medical device'),
  });
  expect(await run([])).toMatchObject({ code: 2, err: expect.stringContaining('Usage') });
  expect(await run(['trian'])).toMatchObject({ code: 2, err: expect.stringContaining('train') });
  expect(await run(['serve'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('--clients FILE'),
  });
  expect(await run(['serve', '--clients', 'none.json', '--tls-key', 'k'])).toMatchObject({
    code: 2,
  });
  expect(await run(['verify'])).toMatchObject({ code: 2, err: expect.stringContaining('[USAGE]') });
  expect(await run(['train', '--rows', join(testFolder(), 'none')])).toMatchObject({
    code: 2,
    err: expect.stringContaining('FILE_'),
  });
});

it('trains, serves, and verifies a card and the log offline', async () => {
  const data = join(testFolder(), 'data');
  const trained = await run(['train', '--data', data]);
  expect(trained).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^Version [0-9a-f]{64} of generated patients\n/),
  });
  const own = await signer();
  const clients = join(testFolder(), 'clients.json');
  writeFileSync(
    clients,
    JSON.stringify({ issuers: [{ iss: ISS, site: 'cleveland', keys: [own.jwk] }] }),
  );
  const stop = new AbortController();
  let url: string | undefined;
  const served = runCommandLine(
    ['serve', '--data', data, '--clients', clients, '--port', '0', '--json'],
    {
      stdout: { write: (text) => (url = (JSON.parse(text) as { url: string }).url) },
      stderr: { write: () => undefined },
      signal: stop.signal,
    },
  );
  await expect.poll(() => url).toBeDefined();
  const hook = `${url}/cds-services/skein-heart`;
  const now = Date.now();
  const moved = JSON.stringify(viewOf()).replaceAll(
    '2026-05-20',
    new Date(now - 9 * 86_400_000).toISOString().slice(0, 10),
  );
  const response = await fetch(hook, {
    method: 'POST',
    headers: { Authorization: `Bearer ${await tokenOf(own, hook, {}, now)}` },
    body: moved,
  });
  const card = join(testFolder(), 'card.json');
  writeFileSync(card, await response.text());
  stop.abort();
  await served;
  expect(await run(['verify', card, '--data', data])).toMatchObject({
    code: 0,
    err: '',
    out: expect.stringMatching(/same bits[^]*It verifies\.\n$/),
  });
  expect(await run(['audit', '--data', data])).toMatchObject({
    code: 0,
    out: expect.stringContaining('1 entries: inference 1'),
  });
  const exported = await run(['audit', '--data', data, '--json']);
  expect(JSON.parse(exported.out)).toMatchObject({ resourceType: 'AuditEvent' });
  writeFileSync(card, '{');
  expect(await run(['verify', card, '--data', data])).toMatchObject({
    code: 1,
    err: expect.stringContaining('[HEALTH_CARD]'),
  });
});

it('gives an issuers file that is broken its place', async () => {
  const data = join(testFolder(), 'data');
  await using own = await serving(testFolder(), { dataFolder: data });
  await own.health.close();
  const clients = join(testFolder(), 'clients.json');
  writeFileSync(clients, '{"issuers":[{"iss":""}]}');
  expect(await run(['serve', '--data', data, '--clients', clients])).toMatchObject({
    code: 2,
    err: expect.stringMatching(/clients.json: issuers: 0: iss.*\[HEALTH_CLIENTS\]/),
  });
});

/** A federation over TLS with a given certificate: two commands and a page, and each must trust it. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FederationView } from '@skein/api';
import { expect, it, onTestFinished } from 'vitest';
import { launchBrowser, problemsOf } from '../../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { createAuthority } from '../../../../http/src/tls/testing/authority.ts';
import { openFederationScene, TERMS } from '../../testing/federation-scene.ts';

const NAMES = ['north', 'south', 'page'];
const PLAN = {
  ...TERMS,
  local: { ...TERMS.local, steps: 10 },
  rounds: 2,
  privacy: { mode: 'none' },
  aggregation: { kind: 'pairwise', range: 50 },
  sites: { minimum: 3, maximum: 3 },
};
const missing = requireComponent('openssl').skip || requireComponent('chromium').skip;

it.skipIf(missing)(
  'a node with a certificate is joined over TLS by those who trust it, and by no other command',
  async () => {
    const folder = testFolder();
    const authority = createAuthority(folder, 'ca');
    const { certificate, key } = authority.issue('node');
    const args = ['--tls-cert', certificate, '--tls-key', key];
    await using scene = await openFederationScene(NAMES, PLAN, args);
    const { federation, invitations } = await scene.node.json<{
      federation: FederationView;
      invitations: { name: string; link: string }[];
    }>('federate', 'start', 'plan.json', ...NAMES.flatMap((name) => ['--site', name]));
    const linkOf = (name: string) => invitations.find((each) => each.name === name)!.link;
    expect(linkOf('north')).toMatch(/^https:/);
    const site = (name: string, ...more: string[]) =>
      scene.start(name, 'join', linkOf(name), '--data', `${name}.csv`, '--accept', ...more);

    const stranger = await site('north').ended;
    expect(JSON.parse(stranger.stdout)).toMatchObject({ code: 'TLS_FAILED' });
    const sites = ['north', 'south'].map((name) => site(name, '--ca', authority.certificate));

    const browser = await launchBrowser();
    onTestFinished(() => browser.close());
    // Chromium takes a new authority from its profile alone.
    const page = await browser.newPage({ ignoreHTTPSErrors: true });
    const problems = problemsOf(page);
    await page.goto(linkOf('page'));
    await page.waitForSelector('#plan', { timeout: 60_000 });
    expect(await page.evaluate(() => [isSecureContext, crossOriginIsolated])).toEqual([true, true]);
    const rows = join(folder, 'page.csv');
    await writeFile(rows, await readFile(join(scene.folder, 'page.csv')));
    await page.setInputFiles('#file', rows);
    await page.waitForSelector('#rows');
    await page.click('#accept');
    await page.waitForSelector('#training[data-end=finished]', { timeout: 90_000 });
    for (const { ended } of sites) {
      const { code, stdout, stderr } = await ended;
      expect(code, stderr).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ status: 'finished', round: PLAN.rounds });
    }
    const shown = await scene.node.json('federate', 'status', federation.id);
    expect(shown).toMatchObject({ federation: { status: 'finished' } });
    expect(problems).toEqual([]);
  },
  180_000,
);

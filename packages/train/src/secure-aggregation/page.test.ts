/** A page of Chromium in rounds with parties in Node: as a site of protocol A, and as a client of B. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundlePage } from '../../../ui/src/bundle.ts';
import { launchBrowser, problemsOf } from '../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { sealUpdate } from './committee/client.ts';
import type { CommitteeContext } from './committee/context.ts';
import { Helper } from './committee/helper.ts';
import { LeaderRound } from './committee/leader.ts';
import { helperKeys } from './committee/seeds.ts';
import { signerOf } from './crypto/identity.ts';
import { randomBytes, type Bytes } from './crypto/suite.ts';
import { readPlain, writePlain, type PageParty } from './testing/page-party.ts';
import {
  answerOf,
  deliver,
  plainSum,
  randomInput,
  readStored,
  stage,
  type Stored,
  sumOf,
  wholeSum,
} from './testing/rounds.ts';
import type { MaskedUpdate } from './upload.ts';
import { EXCHANGES } from './wire/envelope.ts';

const PAGE_SITE = 1;
const SITES = 4;
const browserAvailable = requireComponent('chromium');

describe.skipIf(browserAvailable.skip)('a page of Chromium', () => {
  let server: Server;
  let browser: Browser;
  let page: Page;
  let problems: string[];
  const secrets = Array.from({ length: SITES }, () => randomBytes(32));

  beforeAll(async () => {
    const { script } = await bundlePage(new URL('testing/page-party.ts', import.meta.url));
    const html = `<!doctype html><link rel="icon" href="data:,"><script type="module">${script}</script>`;
    server = createServer((_, response) => {
      response.setHeader('content-type', 'text/html; charset=utf-8').end(html);
    });
    // WebCrypto is there on localhost and over HTTPS only.
    await new Promise<void>((listening) => server.listen(0, 'localhost', listening));
    browser = await launchBrowser();
    page = await browser.newPage();
    problems = problemsOf(page);
    await page.goto(`http://localhost:${(server.address() as AddressInfo).port}`);
    await page.waitForFunction(() => 'pageParty' in globalThis);
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  const inPage = <T>(method: keyof PageParty, ...args: readonly unknown[]): Promise<T> =>
    page.evaluate<T>(`globalThis.pageParty.${method}(...${JSON.stringify(args)})`);

  const termsOf = async () => {
    const signers = await Promise.all(secrets.map((secret) => signerOf(secret)));
    const roster = signers.map(({ publicKey }) => publicKey);
    const context = {
      run: 'page',
      round: 0,
      plan: randomBytes(32),
      roster,
      length: 70_000,
      bits: 18,
    };
    return { signers, context };
  };

  it('is a site of protocol A, where another site drops out', { timeout: 60_000 }, async () => {
    const parts = await termsOf();
    const at = await stage(parts);
    expect(await inPage('suite')).toBe('WebCrypto');
    await inPage('begin', writePlain(parts.context), writePlain(secrets[PAGE_SITE]!));
    for (const exchange of EXCHANGES) {
      for (const { site } of at.sites) {
        if (site === 3 && exchange !== 'keys' && exchange !== 'shares') continue;
        const received = at.answers.get(site) ?? new Uint8Array(0);
        const input = exchange === 'input' ? [...at.inputs[site]!] : [];
        const message =
          site === PAGE_SITE
            ? (readPlain(await inPage('answer', exchange, writePlain(received), input)) as
                | Bytes
                | MaskedUpdate)
            : await answerOf(at, exchange, site);
        await deliver(at, exchange, site, message);
      }
      if (exchange !== 'unmasking') at.answers = await at.server.close();
    }
    const { sum, survivors } = await sumOf(at);
    expect(survivors).toEqual([0, 1, 2]);
    expect(sum).toEqual(plainSum(at.inputs, survivors, parts.context.bits));
    expect(problems).toEqual([]);
  });

  it('is a client of protocol B', { timeout: 60_000 }, async () => {
    const { signers, context: terms } = await termsOf();
    const leader = await signerOf();
    const committee = await Promise.all(
      [0, 1, 2].map(async () => ({ signer: await signerOf(), secret: randomBytes(32) })),
    );
    const helpers = await Promise.all(
      committee.map(({ signer, secret }) => helperKeys(signer, secret)),
    );
    const context: CommitteeContext = {
      ...terms,
      leader: leader.publicKey,
      helpers,
      minimum: SITES,
    };
    const inputs = signers.map(() => randomInput(context));
    const round = await LeaderRound.begin(context, leader);
    const [update, masks]: [Stored, Stored] = [new Map(), new Map()];
    for (const [client, signer] of signers.entries()) {
      const { head, chunks } =
        client === PAGE_SITE
          ? (readPlain(
              await inPage('seal', writePlain(context), writePlain(secrets[client]!), [
                ...inputs[client]!,
              ]),
            ) as MaskedUpdate)
          : await sealUpdate(context, signer, inputs[client]!, { after: -1 });
      await round.accept(client, head);
      await round.acceptUpdate(client, (chunk) => chunks[chunk]!);
      update.set(client, { head, chunks });
    }
    const list = await round.close();
    for (const [at, { signer, secret }] of committee.entries()) {
      const helper = new Helper(signer, secret, { after: -1 });
      const { head, chunks } = await helper.answer(context, list, new Uint32Array(context.length));
      await round.acceptMasks(at, head);
      await round.acceptSummedMasks(at, (chunk) => chunks[chunk]!);
      masks.set(at, { head, chunks });
    }
    const { sum, clients } = await round.sum({
      update: readStored(update),
      masks: readStored(masks),
    });
    expect(await wholeSum(sum)).toEqual(plainSum(inputs, clients, context.bits));
    expect(problems).toEqual([]);
  });
});

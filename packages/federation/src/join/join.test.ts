/** The page of a browser's site in Chromium, with the policy and the bundle that a node delivers. */
import { createServer, type Server } from 'node:http';
import { readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { readModel } from '@skein/onnx';
import { nativeBackend } from '@skein/train/native';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { WebSocketServer } from 'ws';
import { writeRows } from '../../../data/src/testing/parquet.ts';
import { npy, npz } from '../../../train/src/testing/npy.ts';
import { launchBrowser, problemsOf } from '../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { invitationText } from '../identity/invitation.ts';
import type { Plan } from '../plan/plan.ts';
import { openSqliteMemory } from '../site/memory/sqlite-memory.ts';
import { openPersonalModel } from '../site/personal/personal-model.ts';
import { readSiteRows } from '../site/site-rows.ts';
import { trainedPlan } from '../site/testing/trained-plan.ts';
import { smallCoordinator, type SmallCoordinator } from '../site/testing/small-coordinator.ts';
import { connectionOver } from '../transport/connection.ts';
import { MOST_FRAME } from '../transport/messages.ts';
import { serveJoin } from './pages.ts';

const ROUNDS = 3;
const browserAvailable = requireComponent('chromium');

describe.skipIf(browserAvailable.skip)('the page /join', () => {
  let server: Server;
  let browser: Browser;
  const folder = testFolder();
  let coordinator: SmallCoordinator;
  let url: string;
  const updates: Float32Array[] = [];
  let accepted: { readonly plan: Plan; readonly model: Uint8Array };
  /** Broadcasts of all rounds to all sites. */
  const broadcasts: Float32Array[] = [];

  beforeAll(async () => {
    await writeFile(join(folder, 'rows.csv'), 'age,sex,disease\n40,1,1\n50,0,0\n60,0,1\n70,1,0\n');
    await writeFile(join(folder, 'other.csv'), 'height,disease\n1,0\n2,1\n');
    const { plan, model, length } = await trainedPlan({ rounds: ROUNDS });
    accepted = { plan, model };
    coordinator = await smallCoordinator({
      plan,
      model,
      async served(channel, arrive) {
        let parameters = new Float32Array(length);
        for (let round = 0; round < ROUNDS; round++) {
          const place = { round, attempt: 0, phase: 'train' };
          broadcasts.push(parameters);
          const payload = new Uint8Array(parameters.slice().buffer);
          await channel.send({ kind: 'task', place, remainingMs: 9000, fields: {} }, payload);
          const arrival = (await arrive())!;
          const update = new Float32Array((await arrival.payload!.read()).slice().buffer);
          updates.push(update);
          parameters = parameters.map((each, i) => each + update[i]!);
          await channel.send({ kind: 'acknowledge', place });
        }
        await channel.send({ kind: 'status', status: 'finished', round: ROUNDS });
        await channel.closed;
      },
    });
    const sockets = new WebSocketServer({ noServer: true, maxPayload: MOST_FRAME });
    server = createServer((request, response) => {
      void Promise.resolve(serveJoin(request.url!.split('?')[0]!)).then((page) => {
        if (page === undefined) return response.writeHead(404).end();
        for (let i = 0; i < page.headers.length; i += 2) {
          response.setHeader(page.headers[i]!, page.headers[i + 1]!);
        }
        return response.setHeader('Content-Type', page.type).end(page.body);
      });
    });
    server.on('upgrade', (request, socket, head) => {
      sockets.handleUpgrade(request, socket, head, (opened) => {
        coordinator.serve(connectionOver(opened)).catch(() => {});
      });
    });
    await new Promise<void>((listening) => {
      server.listen(0, '127.0.0.1', listening);
    });
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/join`;
    browser = await launchBrowser();
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    server?.close();
    server?.closeAllConnections();
  });

  it('shows the plan, refuses other columns, trains in WebAssembly, and shows the result', async () => {
    const page = await browser.newPage({ viewport: { width: 1100, height: 1250 } });
    const problems = problemsOf(page);
    await page.goto(`${url}#${invitationText(coordinator.invitation)}`);
    await page.waitForSelector('#plan');
    expect(new URL(page.url()).hash).toBe('');
    expect(await page.textContent('#plan')).toContain('The coordinator sees the update');
    expect(updates).toEqual([]);
    await page.setInputFiles('#file', join(folder, 'other.csv'));
    await page.waitForSelector('.trouble:not([hidden])');
    expect(await page.textContent('.trouble')).toContain('lack the columns age, sex');
    await page.setInputFiles('#file', join(folder, 'rows.csv'));
    await page.waitForSelector('#rows');
    expect(await page.textContent('#rows')).toContain('4 rows fit the plan: 2 of class 0, 2 of');
    await page.click('#accept');
    await page.waitForSelector('#training[data-end=finished]', { timeout: 60_000 });
    expect(updates).toHaveLength(ROUNDS);
    expect(updates.every((update) => update.some((each) => each !== 0))).toBe(true);
    expect(await page.evaluate('crossOriginIsolated')).toBe(true);
    expect(problems).toEqual([]);
    const shot = process.env['SKEIN_SCREENSHOTS'];
    if (shot !== undefined) await page.screenshot({ path: join(shot, 'join.png') });
    await page.close();
  }, 90_000);

  it('reads Parquet, and refuses arrays where the plan has columns', async () => {
    const rows = join(folder, 'rows');
    await writeRows(`${rows}.parquet`, `FROM read_csv('${rows}.csv')`);
    await writeFile(`${rows}.npz`, npz({ pixels: npy([2, 1], [1, 2]), y: npy([2], [0, 1]) }));
    const page = await browser.newPage();
    const problems = problemsOf(page);
    await page.goto(`${url}#${invitationText(coordinator.invitation)}`);
    await page.waitForSelector('#plan');
    await page.setInputFiles('#file', `${rows}.npz`);
    await page.waitForSelector('.trouble:not([hidden])');
    expect(await page.textContent('.trouble')).toContain('The plan takes columns of a table');
    await page.setInputFiles('#file', `${rows}.parquet`);
    await page.waitForSelector('#rows');
    expect(await page.textContent('#rows')).toContain('4 rows fit the plan: 2 of class 0, 2 of');
    expect(problems).toEqual([]);
    await page.close();
  }, 60_000);

  it('fits the width of a small telephone', async () => {
    const page = await browser.newPage({ viewport: { width: 320, height: 640 } });
    const width = () => page.evaluate(() => document.documentElement.scrollWidth);
    await page.goto(url);
    await page.getByLabel('Invitation').waitFor();
    expect(await width()).toBe(320);
    await page.getByLabel('Invitation').fill(invitationText(coordinator.invitation));
    await page.getByRole('button', { name: 'Show the plan' }).click();
    await page.setInputFiles('#file', join(folder, 'rows.csv'));
    await page.waitForSelector('#rows');
    await page.check('#own');
    expect(await width()).toBe(320);
    await page.close();
  }, 90_000);

  it('trains a model of its own next to it, which is downloaded, and sends nothing of it', async () => {
    const [without, before] = [updates.slice(), broadcasts.length];
    const page = await (await browser.newContext({ acceptDownloads: true })).newPage();
    await page.setViewportSize({ width: 1100, height: 1500 });
    const problems = problemsOf(page);
    await page.goto(`${url}#${invitationText(coordinator.invitation)}`);
    await page.waitForSelector('#plan');
    await page.setInputFiles('#file', join(folder, 'rows.csv'));
    await page.waitForSelector('#rows');
    await page.check('#own');
    expect(await page.textContent('.caution')).toContain('Do not share it.');
    // Beyond it, a step would leap over the global model.
    await page.fill('#pull', '11');
    expect(await page.isDisabled('#accept')).toBe(true);
    await page.fill('#pull', '0.5');
    const shot = process.env['SKEIN_SCREENSHOTS'];
    if (shot !== undefined) await page.screenshot({ path: join(shot, 'join-own-offer.png') });
    await page.click('#accept');
    await page.waitForSelector('#own-model[data-done=true]', { timeout: 60_000 });
    expect(await page.textContent('#own-model')).toContain(`global model of round ${ROUNDS - 1}`);
    if (shot !== undefined) await page.screenshot({ path: join(shot, 'join-own.png') });
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
    expect(download.suggestedFilename()).toBe('own.onnx');
    const file = await readFile(await download.path());
    expect(problems).toEqual([]);
    await page.context().close();

    // The coordinator got what it gets without it.
    expect(updates.slice(ROUNDS)).toEqual(without);
    let expected: Uint8Array | undefined;
    const personal = await openPersonalModel({
      ...accepted,
      run: 'run-1',
      rows: await readSiteRows(accepted.plan.data, await readFile(join(folder, 'rows.csv'))),
      backend: nativeBackend,
      memory: openSqliteMemory(':memory:'),
      terms: { pull: 0.5, from: 'own' },
      onTrained: ({ own }) => void (expected = personal.fileOf(own)),
      onProblem: (problem) => expect.fail(String(problem)),
    });
    for (const [round, sent] of broadcasts.slice(before).entries()) {
      await personal.onBroadcast(round, sent);
    }
    await personal.finish(true);
    await personal.close();
    const [found, wanted] = [numbersOf(file), numbersOf(expected!)];
    expect(found).toHaveLength(4);
    found.forEach((each, i) => expect(each).toBeCloseTo(wanted[i]!, 5));
    const global = numbersOf(accepted.model);
    expect(found).not.toEqual(global);
  }, 90_000);
});

/** All float32 of the weights of an ONNX file. */
function numbersOf(file: Uint8Array): number[] {
  const weights = readModel(file).graph!.initializer.filter(({ dataType }) => dataType === 1);
  return weights.flatMap(({ rawData }) => [...new Float32Array(new Uint8Array(rawData).buffer)]);
}

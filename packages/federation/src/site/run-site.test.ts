import { nativeBackend } from '@skein/train/native';
import { expect, it } from 'vitest';
import type { Joined } from '../identity/handshake.ts';
import { isSignedBy } from '../identity/keys.ts';
import { type LedgerEntry, nextEntry } from '../ledger/entry.ts';
import { digestOf } from '@skein/api/canonical';
import type { Channel } from '../transport/channel.ts';
import { openSqliteMemory } from './memory/sqlite-memory.ts';
import { runSite, type SiteEvent, type SiteOptions } from './run-site.ts';
import { readSiteRows } from './site-rows.ts';
import { requireTerms } from './terms.ts';
import { smallCoordinator } from './testing/small-coordinator.ts';
import { trainedPlan } from './testing/trained-plan.ts';
import { openWork } from './work/open-work.ts';

const ROWS = 'age,sex,disease\n40,1,1\n50,0,0\n60,0,1\n70,1,0\n';
const { plan, model } = await trainedPlan();
const place = (round: number, phase = 'train') => ({ round, attempt: 0, phase });
const broadcast = new Uint8Array(new Float32Array(4).buffer);

function task(channel: Channel, round: number, payload = broadcast): Promise<void> {
  return channel.send(
    { kind: 'task', place: place(round), remainingMs: 9000, fields: {} },
    payload,
  );
}

function site(more: Partial<SiteOptions> & Pick<SiteOptions, 'open' | 'invitation'>) {
  const events: SiteEvent[] = [];
  let trained = 0;
  const options: SiteOptions = {
    memory: openSqliteMemory(':memory:'),
    consent: async (joined: Joined) => requireTerms(joined.plan, { allowPlainUpdates: true }),
    async prepare(joined, fetchModel) {
      const rows = await readSiteRows(joined.plan.data, new TextEncoder().encode(ROWS));
      const work = await openWork({
        joined,
        run: 'run-1',
        memory: options.memory,
        model: await fetchModel(),
        rows,
        backend: nativeBackend,
      });
      return async (each) => {
        trained++;
        return work(each);
      };
    },
    onEvent: (event) => events.push(event),
    signal: new AbortController().signal,
    ...more,
  };
  return { end: runSite(options), events, trained: () => trained };
}

it('trains, signs its answer, and gives the same one again after a lost connection', async () => {
  const answers: string[] = [];
  let connections = 0;
  const coordinator = await smallCoordinator({
    plan,
    model,
    async served(channel, arrive) {
      connections++;
      await task(channel, 0);
      const arrival = (await arrive())!;
      if (arrival.message.kind !== 'answer') throw new Error(arrival.message.kind);
      const { fields, signature } = arrival.message;
      const { digest } = arrival.payload!;
      const signed = { run: 'run-1', plan: await digestOf(plan), place: place(0), fields };
      const key = events.site;
      expect(await isSignedBy(key, 'answer', { ...signed, payload: digest }, signature)).toBe(true);
      expect(fields).toEqual({ weight: 4 });
      answers.push(digest + signature);
      if (connections === 1) return channel.close();
      await channel.send({ kind: 'status', status: 'finished', round: 1 });
    },
  });
  const memory = openSqliteMemory(':memory:');
  const raw = await crypto.subtle.exportKey('raw', (await memory.identity()).publicKey);
  const events = { site: Buffer.from(raw).toString('hex') };
  const { invitation } = coordinator;
  const { end, trained, events: seen } = site({ open: coordinator.connect, invitation, memory });
  expect(await end).toEqual({ status: 'finished', round: 1, reason: '' });
  expect(answers).toHaveLength(2);
  expect(answers[1]).toBe(answers[0]);
  expect(trained()).toBe(1);
  expect(seen.map(({ type }) => type)).toContain('lost');
});

it('keeps what SCAFFOLD carries from round to round until the federation ends', async () => {
  const scaffold = await trainedPlan({ strategy: { name: 'scaffold' }, local: { steps: 1 } });
  const memory = openSqliteMemory(':memory:');
  let carried: Uint8Array | undefined;
  const coordinator = await smallCoordinator({
    ...scaffold,
    async served(channel, arrive) {
      await task(channel, 0, new Uint8Array(8 * 4));
      await arrive();
      carried = await memory.carriedOf('run-1');
      await channel.send({ kind: 'status', status: 'finished', round: 1 });
    },
  });
  const { end } = site({ open: coordinator.connect, invitation: coordinator.invitation, memory });
  await end;
  expect(carried).toBeDefined();
  expect(await memory.carriedOf('run-1')).toBeUndefined();
});

it('returns, when it ends, the newest entry of the ledger that it has signed', async () => {
  const entries: LedgerEntry[] = [];
  const coordinator = await smallCoordinator({
    plan,
    model,
    async served(channel, arrive) {
      for (const reason of ['first', 'second']) {
        const given = {
          run: 'run-1',
          at: new Date(0).toISOString(),
          event: { kind: 'paused', reason } as const,
          witnesses: [],
        };
        const entry = await nextEntry(coordinator.identity, entries.at(-1), given);
        entries.push(entry);
        await channel.send({ kind: 'entry', entry });
        expect((await arrive())!.message).toMatchObject({ kind: 'witness', hash: entry.hash });
      }
      await channel.send({ kind: 'status', status: 'stopped', round: 0, reason: 'enough' });
    },
  });
  const { end } = site({ open: coordinator.connect, invitation: coordinator.invitation });
  const { seen } = await end;
  expect(seen).toEqual({ sequence: 1, hash: entries[1]!.hash });
});

it('declines a plan that does not meet its terms, and sends nothing', async () => {
  let served = false;
  const coordinator = await smallCoordinator({
    plan,
    model,
    served: async () => void (served = true),
  });
  const { end } = site({
    open: coordinator.connect,
    invitation: coordinator.invitation,
    consent: async (joined) => requireTerms(joined.plan, { maxEpsilon: 1 }),
  });
  await expect(end).rejects.toMatchObject({
    code: 'SITE_TERMS_REFUSED',
    message: expect.stringMatching(/of this site alone; the plan has no differential privacy/),
  });
  expect(served).toBe(false);
});

it('refuses a second plan for the same run, and a model that is not the one of the plan', async () => {
  const memory = openSqliteMemory(':memory:');
  await memory.accept('run-1', 'c'.repeat(64));
  const other = await smallCoordinator({ plan, model, served: async () => {} });
  const changed = site({ open: other.connect, invitation: other.invitation, memory });
  await expect(changed.end).rejects.toMatchObject({ code: 'SITE_PLAN_CHANGED' });
  const wrong = await smallCoordinator({
    plan,
    model: new Uint8Array([...model, 0]),
    served: async (_, arrive) => void (await arrive()),
  });
  const swapped = site({ open: wrong.connect, invitation: wrong.invitation });
  await expect(swapped.end).rejects.toMatchObject({ code: 'PLAN_CHANGED' });
});

it('refuses another coordinator, and an unknown phase without leaving', async () => {
  const coordinator = await smallCoordinator({
    plan,
    model,
    async served(channel, arrive) {
      await channel.send(
        { kind: 'task', place: place(0, 'steal'), remainingMs: 9000, fields: {} },
        broadcast,
      );
      const { message } = (await arrive())!;
      expect(message).toMatchObject({ kind: 'refuse', code: 'FEDERATION_PROTOCOL' });
      await channel.send({ kind: 'status', status: 'stopped', round: 0, reason: 'enough' });
    },
  });
  const { end } = site({ open: coordinator.connect, invitation: coordinator.invitation });
  expect(await end).toEqual({ status: 'stopped', round: 0, reason: 'enough' });
  const invitation = { ...coordinator.invitation, coordinator: 'd'.repeat(64) };
  const fooled = site({ open: coordinator.connect, invitation });
  await expect(fooled.end).rejects.toMatchObject({ code: 'IDENTITY_UNPROVEN' });
});

it('keeps the newest task of those that come before the model', async () => {
  const answered: number[] = [];
  const coordinator = await smallCoordinator({
    plan,
    model,
    async served(channel, arrive) {
      for (let attempt = 0; attempt < 50; attempt += 1) {
        await channel.send(
          { kind: 'task', place: { ...place(0), attempt }, remainingMs: 9000, fields: {} },
          broadcast,
        );
      }
      const { message } = (await arrive())!;
      if (message.kind === 'answer') answered.push(message.place.attempt);
      await channel.send({ kind: 'status', status: 'stopped', round: 0, reason: 'enough' });
    },
  });
  const { end, trained } = site({ open: coordinator.connect, invitation: coordinator.invitation });
  await end;
  expect(answered).toEqual([49]);
  expect(trained()).toBe(1);
});

it('ends a connection whose tasks pile up', async () => {
  const leaving = new AbortController();
  const working = Promise.withResolvers<void>();
  const coordinator = await smallCoordinator({
    plan,
    model,
    async served(channel, arrive) {
      const closed = arrive();
      for (let attempt = 0; attempt < 17; attempt += 1) {
        await channel.send(
          { kind: 'task', place: { ...place(0), attempt }, remainingMs: 9000, fields: {} },
          broadcast,
        );
        if (attempt === 0) await working.promise;
      }
      await closed;
    },
  });
  const lost: string[] = [];
  const { end } = site({
    open: coordinator.connect,
    invitation: coordinator.invitation,
    async prepare(_joined, fetchModel) {
      await fetchModel();
      return async () => {
        working.resolve();
        return new Promise(() => {});
      };
    },
    onEvent(event) {
      if (event.type !== 'lost') return;
      lost.push(event.reason);
      leaving.abort();
    },
    signal: leaving.signal,
  });
  await end;
  expect(lost).toEqual(['More than 16 tasks wait for their answers.']);
});

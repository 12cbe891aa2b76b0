import { expect, it, vi } from 'vitest';
import type { ArtifactStore } from '@skein/state';
import { createIdentity } from '../../identity/keys.ts';
import { verifyLedger, ledgerText } from '../../ledger/verify.ts';
import { type Connection, connectionPair } from '../../transport/connection.ts';
import { decodeFrame } from '../../transport/messages.ts';
import { readArtifact } from '../storage/uploads.ts';
import {
  adds,
  floats,
  joinScripted,
  type Script,
  type ScriptedAnswer,
  startFederation,
} from '../testing/federation.ts';

const code = (expected: string): unknown => expect.objectContaining({ code: expected });
const kinds = async (at: Awaited<ReturnType<typeof startFederation>>, run: string) =>
  (await at.coordinator.ledger(run)).entries.map(({ event }) => event.kind);

async function until(at: Awaited<ReturnType<typeof startFederation>>, run: string, status: string) {
  await vi.waitFor(async () => expect((await at.coordinator.view(run)).status).toBe(status), {
    timeout: 30_000,
    interval: 20,
  });
  return at.coordinator.view(run);
}

it('averages the updates of two sites by their weights, round after round, and writes it down', async () => {
  const at = await startFederation({ rounds: 3 });
  const { id, parameters: none } = await at.coordinator.start(at.draft);
  expect(none).toBeUndefined();
  const first: number[] = [];
  const north = await joinScripted(
    at,
    await at.coordinator.invite(id, { name: 'north' }),
    (task) => {
      first.push(...new Float32Array(task.payload!.slice().buffer).slice(0, 1));
      return adds(1, 3)(task);
    },
  );
  const south = await joinScripted(
    at,
    await at.coordinator.invite(id, { name: 'south' }),
    adds(2, 1),
  );
  const view = await until(at, id, 'finished');
  expect(view).toMatchObject({ round: 3, reason: 'All rounds are done.', spent: [] });
  // (3·1 + 1·2) / 4 = 1.25 a round.
  expect(first.map((each) => each - first[0]!)).toEqual(
    [0, 1.25, 2.5].map((each) => expect.closeTo(each, 5)),
  );
  await vi.waitFor(() =>
    expect(north.arrivals.at(-1)?.message).toMatchObject({ kind: 'status', status: 'finished' }),
  );
  const rounds = ['opened', 'finished-round'];
  expect(await kinds(at, id)).toEqual([
    'started',
    'accepted',
    'accepted',
    ...rounds,
    ...rounds,
    ...rounds,
    'ended',
  ]);
  const ledger = await at.coordinator.ledger(id);
  const verified = await verifyLedger(ledgerText(ledger), { coordinator: at.coordinator.key });
  expect(verified).toMatchObject({ rounds: 3, aborted: 0, releases: 0 });
  expect([...verified.witnesses.keys()].toSorted()).toEqual(
    [north.pseudonym, south.pseudonym].toSorted(),
  );
  expect(JSON.stringify(ledger.entries)).not.toMatch(/north|south/);
  expect(at.faults).toEqual([]);
});

it('is stopped while a round ends with the model of that round', async () => {
  const at = await startFederation({ rounds: 3 });
  const { id } = await at.coordinator.start(at.draft);
  const stops: Promise<unknown>[] = [];
  let updateBytes = Infinity;
  const put = at.artifacts.put.bind(at.artifacts);
  Object.assign(at.artifacts, {
    put: async (...content: Parameters<ArtifactStore['put']>) => {
      // The state of the next round is longer than an update.
      const isState = (content[1] ?? 0) > updateBytes;
      if (isState && stops.length === 0) stops.push(at.coordinator.stop(id, 'enough'));
      return put(...content);
    },
  });
  const second: Script = (task) => {
    if (task.place.round === 1) updateBytes = task.payload!.length;
    return adds(1)(task);
  };
  for (const name of ['a', 'b'])
    await joinScripted(at, await at.coordinator.invite(id, { name }), second);
  expect(await until(at, id, 'stopped')).toMatchObject({ round: 2, reason: 'enough' });
  await Promise.all(stops);
  const ledger = ledgerText(await at.coordinator.ledger(id));
  await verifyLedger(ledger, { coordinator: at.coordinator.key });
});

it('takes the median of the updates where the plan names it, whatever their weights', async () => {
  const robust = { name: 'median' } as const;
  const at = await startFederation({
    rounds: 1,
    aggregation: { kind: 'none', coordinatorSeesUpdates: true, robust },
    sites: { minimum: 3 },
  });
  const { id } = await at.coordinator.start(at.draft);
  const before: number[] = [];
  for (const [name, update, weight] of [
    ['a', 1, 1],
    ['b', 2, 1],
    ['liar', -1e6, 1e9],
  ] as const) {
    await joinScripted(at, await at.coordinator.invite(id, { name }), (task) => {
      before.push(new Float32Array(task.payload!.slice().buffer)[0]!);
      return adds(update, weight)(task);
    });
  }
  const { parameters } = await until(at, id, 'finished');
  const after = new Float32Array((await readArtifact(at.artifacts, parameters!)).buffer);
  expect(after[0]! - before[0]!).toBeCloseTo(1, 5);
});

it('aborts a round below the threshold, writes it down and tries it again', async () => {
  const at = await startFederation({ rounds: 1, deadlines: { phaseMs: 300, trainMs: 300 } });
  const { id } = await at.coordinator.start(at.draft);
  await joinScripted(at, await at.coordinator.invite(id, { name: 'a' }), adds(1));
  let asked = 0;
  await joinScripted(at, await at.coordinator.invite(id, { name: 'b' }), (task) =>
    asked++ === 0 ? undefined : adds(1)(task),
  );
  await until(at, id, 'finished');
  const { entries } = await at.coordinator.ledger(id);
  const aborted = entries.find(({ event }) => event.kind === 'aborted')!;
  expect(aborted.event).toMatchObject({
    round: 0,
    attempt: 0,
    phase: 'train',
    code: 'SITES_MISSING',
  });
  expect(entries.find(({ event }) => event.kind === 'finished-round')!.event).toMatchObject({
    attempt: 1,
  });
});

it('sends no more of what to train from when its round has ended, and asks the site in the next', async () => {
  const at = await startFederation({
    rounds: 2,
    sites: { minimum: 3, threshold: 2 },
    deadlines: { phaseMs: 20_000, trainMs: 1000 },
  });
  const { id } = await at.coordinator.start(at.draft);
  const invite = (name: string) => at.coordinator.invite(id, { name });
  const isAskedAgain = Promise.withResolvers<void>();
  for (const name of ['a', 'b']) {
    await joinScripted(at, await invite(name), async (task) => {
      if (task.place.round === 1) await isAskedAgain.promise;
      return adds(1)(task);
    });
  }
  const [near, far] = connectionPair();
  at.coordinator.connect(far);
  /** The question of site c in the first round arrives in the second. */
  const held: Parameters<Connection['send']>[0][] = [];
  let first: string | undefined;
  const connection: Connection = {
    ...near,
    send(frame) {
      const { message } = decodeFrame(frame);
      if (message.kind !== 'want') return near.send(frame);
      first ??= message.digest;
      if (message.digest === first) held.push(frame);
      else near.send(frame);
    },
  };
  const rounds = new Set<number>();
  const answer = adds(1);
  const c = await joinScripted(
    at,
    await invite('c'),
    (task) => {
      rounds.add(task.place.round);
      for (const frame of held) near.send(frame);
      isAskedAgain.resolve();
      return answer(task);
    },
    { connection },
  );
  await until(at, id, 'finished');
  // The end follows all that was asked for.
  const end = { kind: 'status', status: 'finished' };
  await vi.waitFor(() => expect(c.arrivals.at(-1)?.message).toMatchObject(end), {
    timeout: 30_000,
  });
  expect([...rounds]).toEqual([1]);
  expect(at.faults).toEqual([]);
});

it('continues without a site that vanished, above the threshold, and takes it back', async () => {
  const more = { rounds: 2, sites: { minimum: 3, threshold: 2 }, deadlines: { trainMs: 400 } };
  const at = await startFederation(more);
  const { id } = await at.coordinator.start(at.draft);
  const invite = (name: string) => at.coordinator.invite(id, { name });
  await joinScripted(at, await invite('a'), adds(1));
  await joinScripted(at, await invite('b'), adds(1));
  const identity = await createIdentity();
  const invitation = await invite('c');
  const c = await joinScripted(
    at,
    invitation,
    () => {
      c.channel.close();
      return undefined;
    },
    { identity },
  );
  await vi.waitFor(async () => expect((await at.coordinator.view(id)).round).toBe(1), {
    timeout: 20_000,
  });
  await joinScripted(at, invitation, adds(1), { identity });
  await until(at, id, 'finished');
  const { entries } = await at.coordinator.ledger(id);
  const survivors = entries.flatMap(({ event }) =>
    event.kind === 'finished-round' ? [event.survivors.length] : [],
  );
  expect(survivors).toEqual([2, 3]);
});

it('refuses NaN, a wrong length and a wrong weight, and tries the round again without them', async () => {
  const at = await startFederation({ rounds: 1 });
  const { id } = await at.coordinator.start(at.draft);
  const bad: ScriptedAnswer[] = [
    { fields: { weight: 1 }, payload: floats(1, NaN, 1, 1) },
    { fields: { weight: 1 }, payload: floats(1) },
    { fields: { weight: -1 }, payload: floats(1, 1, 1, 1) },
  ];
  await joinScripted(at, await at.coordinator.invite(id, { name: 'good' }), adds(1));
  const site = await joinScripted(
    at,
    await at.coordinator.invite(id, { name: 'bad' }),
    (task) => bad[task.place.attempt] ?? adds(1)(task),
  );
  await until(at, id, 'finished');
  const codes = site.arrivals.flatMap(({ message }) =>
    message.kind === 'refuse' ? [message.code] : [],
  );
  expect(codes).toEqual(bad.map(() => 'ANSWER_INVALID'));
  const { entries } = await at.coordinator.ledger(id);
  expect(entries.filter(({ event }) => event.kind === 'aborted')).toHaveLength(3);
});

it('refuses an update after which the model would not be finite', async () => {
  const at = await startFederation({ rounds: 2 });
  const { id } = await at.coordinator.start(at.draft);
  const most = { fields: { weight: 1 }, payload: floats(3.4e38, 3.4e38, 3.4e38, 3.4e38) };
  const asked: string[] = [];
  const sites = await Promise.all(
    ['a', 'b'].map(async (name) =>
      joinScripted(at, await at.coordinator.invite(id, { name }), (task) => {
        const { round, attempt } = task.place;
        asked.push(`${round}.${attempt}`);
        return attempt === 0 ? most : adds(1)(task);
      }),
    ),
  );
  await until(at, id, 'finished');
  const codes = sites.map(({ arrivals }) =>
    arrivals.flatMap(({ message }) => (message.kind === 'refuse' ? [message.code] : [])),
  );
  // Twice as much is beyond float32.
  expect(codes).toEqual([['ANSWER_INVALID'], ['ANSWER_INVALID']]);
  expect([...new Set(asked)]).toEqual(['0.0', '1.0', '1.1']);
});

it('keeps what was answered when it is killed in the middle of a round', async () => {
  const at = await startFederation({ rounds: 2 });
  const { id } = await at.coordinator.start(at.draft);
  const [a, b] = [await createIdentity(), await createIdentity()];
  const [forA, forB] = [
    await at.coordinator.invite(id, { name: 'a' }),
    await at.coordinator.invite(id, { name: 'b' }),
  ];
  const memory = new Map<string, ScriptedAnswer>();
  let computed = 0;
  const once = (task: Parameters<ReturnType<typeof adds>>[0]) => {
    computed += 1;
    return adds(1)(task);
  };
  await joinScripted(at, forA, once, { identity: a, memory });
  await joinScripted(at, forB, () => undefined, { identity: b });
  await vi.waitFor(async () => {
    const view = await at.coordinator.view(id);
    expect(view.members.filter(({ answered }) => answered)).toHaveLength(1);
  });
  await at.restart();
  const view = await at.coordinator.view(id);
  expect(view).toMatchObject({ round: 0, attempt: 0, phase: 'train' });
  // The site that had answered is not asked again.
  const again = await joinScripted(at, forA, once, { identity: a, memory });
  await joinScripted(at, forB, adds(3), { identity: b });
  await until(at, id, 'finished');
  expect(computed).toBe(2);
  const places = again.arrivals.flatMap(({ message }) =>
    message.kind === 'task' ? [message.place.round] : [],
  );
  expect(places).toEqual([1]);
  expect(at.faults).toEqual([]);
});

it('pauses, resumes and stops', async () => {
  const at = await startFederation({ rounds: 5 });
  const { id } = await at.coordinator.start(at.draft);
  await at.coordinator.pause(id, 'maintenance');
  await joinScripted(at, await at.coordinator.invite(id, { name: 'a' }), adds(1));
  const b = await joinScripted(at, await at.coordinator.invite(id, { name: 'b' }), () => undefined);
  expect(await at.coordinator.view(id)).toMatchObject({
    status: 'paused',
    round: 0,
    phase: 'gather',
  });
  await at.coordinator.resume(id, 'done');
  await vi.waitFor(async () => expect((await at.coordinator.view(id)).phase).toBe('train'));
  await at.coordinator.stop(id, 'enough');
  expect(await at.coordinator.view(id)).toMatchObject({ status: 'stopped', reason: 'enough' });
  await expect(at.coordinator.pause(id, 'x')).rejects.toEqual(code('FEDERATION_ENDED'));
  await vi.waitFor(() => expect(b.arrivals.at(-1)?.message).toMatchObject({ status: 'stopped' }), {
    timeout: 30_000,
  });
  for (let month = 0; month < 6; month += 1) {
    expect(await at.coordinator.removeEnded()).toBe(0);
    at.now += 31 * 86_400_000;
  }
  expect(await at.coordinator.removeEnded()).toBe(1);
  await expect(at.coordinator.view(id)).rejects.toEqual(code('FEDERATION_UNKNOWN'));
});

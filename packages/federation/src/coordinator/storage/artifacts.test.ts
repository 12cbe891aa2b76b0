/** Files that a coordinator keeps as artifacts, and for how long. */
import { expect, it, onTestFinished, vi } from 'vitest';
import { sha256 } from '@skein/api/canonical';
import { CHUNK_BYTES } from '../../transport/messages.ts';
import { LOOK_EVERY_MS } from '../open-coordinator.ts';
import { adds, type Bytes, floats, joinScripted, startFederation } from '../testing/federation.ts';
import { putArtifact, readArtifact } from './uploads.ts';

type Federation = Awaited<ReturnType<typeof startFederation>>;

const DAY_MS = 86_400_000;
const code = (expected: string): unknown => expect.objectContaining({ code: expected });
const patiently = { timeout: 30_000, interval: 20 };
const stored = async (at: Federation) => (await at.artifacts.list()).toSorted();

async function until(at: Federation, run: string, status: string) {
  await vi.waitFor(async () => {
    expect((await at.coordinator.view(run)).status).toBe(status);
  }, patiently);
  return at.coordinator.view(run);
}

/** A federation of two sites that add 1 in each round, to its end. */
async function train(at: Federation, rounds: number): Promise<string> {
  const { id } = await at.coordinator.start({ ...at.draft, rounds });
  for (const name of ['a', 'b']) {
    await joinScripted(at, await at.coordinator.invite(id, { name }), adds(1));
  }
  await until(at, id, 'finished');
  return id;
}

it('keeps the model, the parameters and the state of the optimiser, and nothing of earlier rounds', async () => {
  const at = await startFederation();
  const { parameters } = await at.coordinator.view(await train(at, 3));
  await vi.waitFor(async () => expect(await stored(at)).toHaveLength(3), patiently);
  expect(await stored(at)).toContain(parameters);
  expect(await stored(at)).toContain(at.draft.model.digest);
});

it('leaves the artifacts of another run that has come to the same numbers', async () => {
  const at = await startFederation();
  const { parameters } = await at.coordinator.view(await train(at, 1));
  // Its first round ends with the same parameters, which its second replaces.
  await train(at, 2);
  expect(await stored(at)).toContain(parameters);
});

it.each<[string, (model: Bytes) => Bytes]>([
  ['in the message', () => floats(1, NaN, 1, 1)],
  ['in chunks', () => new Uint8Array(CHUNK_BYTES + 4)],
  ['that is the model of the run', (model) => model],
])('leaves no artifact of a refused answer: %s', async (_, payloadOf) => {
  const at = await startFederation({ rounds: 1 });
  const { id } = await at.coordinator.start(at.draft);
  const begun = await stored(at);
  const model = await readArtifact(at.artifacts, at.draft.model.digest);
  const payload = payloadOf(model);
  await joinScripted(at, await at.coordinator.invite(id, { name: 'good' }), () => undefined);
  const bad = await joinScripted(at, await at.coordinator.invite(id, { name: 'bad' }), () => ({
    fields: { weight: 1 },
    payload,
  }));
  await vi.waitFor(() => {
    const codes = bad.arrivals.map(({ message }) => message.kind === 'refuse' && message.code);
    expect(codes).toContain('ANSWER_INVALID');
  }, patiently);
  await at.coordinator.stop(id, 'enough');
  expect(begun).toContain(at.draft.model.digest);
  expect(await stored(at)).toEqual(begun);
  expect(await sha256(model)).toBe(at.draft.model.digest);
});

it('keeps no update of a site after the federation was stopped', async () => {
  const at = await startFederation({ rounds: 1 });
  const { id } = await at.coordinator.start(at.draft);
  const begun = await stored(at);
  await joinScripted(at, await at.coordinator.invite(id, { name: 'a' }), adds(1));
  await joinScripted(at, await at.coordinator.invite(id, { name: 'b' }), () => undefined);
  await vi.waitFor(async () => expect(await stored(at)).toHaveLength(3), patiently);
  await at.coordinator.stop(id, 'enough');
  expect(await stored(at)).toEqual(begun);
});

it('removes at its start what a killed coordinator has left, and not the answers of an open phase', async () => {
  const at = await startFederation({ rounds: 1 });
  const { id } = await at.coordinator.start(at.draft);
  await joinScripted(at, await at.coordinator.invite(id, { name: 'a' }), adds(1));
  await joinScripted(at, await at.coordinator.invite(id, { name: 'b' }), () => undefined);
  await vi.waitFor(async () => expect(await stored(at)).toHaveLength(3), patiently);
  const needed = await stored(at);
  await putArtifact(at.artifacts, floats(1, 2, 3));
  await at.restart();
  expect(await stored(at)).toEqual(needed);
});

it('keeps a run for the time that its operator sets', async () => {
  const at = await startFederation();
  await train(at, 1);
  at.keptMs = 3650 * DAY_MS;
  await at.restart();
  expect(await at.coordinator.removeEnded()).toBe(0);
  for (let days = 0; days < 3650 - 10; days += 10) {
    at.now += 10 * DAY_MS;
    expect(await at.coordinator.removeEnded()).toBe(0);
  }
  at.now += 10 * DAY_MS;
  expect(await at.coordinator.removeEnded()).toBe(1);
});

it('removes a run with all that was stored for it 183 days after its end: automatically, each hour', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const at = await startFederation();
  const old = await train(at, 1);
  expect(await at.coordinator.removeEnded()).toBe(0);
  at.now += DAY_MS;
  const young = await train(at, 2);
  const { id: running } = await at.coordinator.start(at.draft);
  const ids = async () => (await at.coordinator.list()).map(({ id }) => id).toSorted();
  for (const days of [0, 30, 30, 30, 30, 30, 31, 1 - 1 / DAY_MS]) {
    at.now += days * DAY_MS;
    await vi.advanceTimersByTimeAsync(LOOK_EVERY_MS);
    expect(await at.coordinator.removeEnded()).toBe(0);
  }
  at.now += 1;
  await vi.advanceTimersByTimeAsync(LOOK_EVERY_MS);
  await vi.waitFor(async () => expect(await ids()).toEqual([running, young].toSorted()), patiently);
  await expect(at.coordinator.ledger(old)).rejects.toEqual(code('FEDERATION_UNKNOWN'));
  at.now += DAY_MS;
  await at.restart();
  expect(await ids()).toEqual([running]);
  // The model, and its parameters as the state before the first round.
  expect(await stored(at)).toHaveLength(2);
  expect(await stored(at)).toContain(at.draft.model.digest);
  expect(at.faults).toEqual([]);
});

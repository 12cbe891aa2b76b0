import { Readable } from 'node:stream';
import { beforeEach, expect, it, vi } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { SkeinError } from '@skein/api/errors';
import { type ArtifactStore, openFileArtifacts } from '@skein/state';
import { keepCheckpoints, type CheckpointKeeper } from './checkpoint-keeper.ts';
import { restoreCheckpoint } from './checkpoint.ts';

type Files = Readonly<Record<string, string>>;

let folder: string;
let artifacts: ArtifactStore;
beforeEach(async () => {
  folder = testFolder();
  artifacts = await openFileArtifacts(folder);
});

interface Guest {
  readonly keeper: CheckpointKeeper;
  /** The checkpoint that each save has made. */
  readonly saved: Files[];
  readonly notes: string[];
  /** How often the files were read. */
  readonly reads: () => number;
  /** Resolves when the keeper waits for its next read. */
  readonly paused: () => Promise<void>;
  /** Lets the keeper read; resolves when it waits again. */
  readonly turn: () => Promise<void>;
}

/** A command whose files are as given at each read in turn, and then as at the last. */
function guest(states: readonly (Files | Error)[]): Guest {
  let reads = 0;
  const saved: Files[] = [];
  const notes: string[] = [];
  let pausing = Promise.withResolvers<void>();
  let resume = (): void => undefined;
  const paused = () => pausing.promise;
  const keeper = keepCheckpoints({
    path: 'state',
    maxBytes: 1000,
    pause: (_, signal) =>
      new Promise((resolve) => {
        resume = resolve;
        signal.addEventListener('abort', () => resolve());
        pausing.resolve();
      }),
    async *collect() {
      const files = states[Math.min(reads++, states.length - 1)]!;
      if (files instanceof Error) throw files;
      if (Object.keys(files).length === 0) throw new SkeinError('SANDBOX_OUTPUT_MISSING', 'No.');
      for (const [path, text] of Object.entries(files)) {
        yield { path, sizeBytes: text.length, content: Readable.from([Buffer.from(text)]) };
      }
    },
    tools: {
      artifacts,
      claim: { job: { id: 'j' } } as never,
      lease: {
        ended: new AbortController().signal,
        preempted: new AbortController().signal,
      } as never,
      note: (_, message) => void notes.push(message),
      async saveCheckpoint(digest) {
        const files: Record<string, string> = {};
        const put = async (given: Iterable<{ path: string; content: Uint8Array }>) => {
          for (const { path, content } of given) files[path] = Buffer.from(content).toString();
        };
        await restoreCheckpoint({ put }, digest, { artifacts });
        saved.push(files);
        return true;
      },
    },
  });
  const turn = (): Promise<void> => {
    pausing = Promise.withResolvers();
    resume();
    return paused();
  };
  return { keeper, saved, notes, reads: () => reads, paused, turn };
}

const ONE = { 'state/a': '1', 'state/b': '1' };
const TWO = { 'state/a': '2', 'state/b': '2' };

it('keeps the files that two reads in a row have found', async () => {
  const { keeper, saved, paused } = guest([ONE]);
  keeper.announced();
  await paused();
  expect(saved).toEqual([ONE]);
  await keeper.stop();
});

it('keeps no mixture of two checkpoints', async () => {
  const mixed = { 'state/a': '1', 'state/b': '2' };
  const { keeper, saved, reads, paused } = guest([mixed, TWO, TWO]);
  keeper.announced();
  await paused();
  expect(saved).toEqual([TWO]);
  expect(reads()).toBe(3);
  await keeper.stop();
});

it('keeps no files that change between all reads, until they stop changing', async () => {
  const restless = Array.from({ length: 6 }, (_, at) => ({ state: String(at) }));
  const { keeper, saved, paused, turn } = guest([...restless, ONE]);
  keeper.announced();
  await paused();
  expect(saved).toEqual([]);
  keeper.announced();
  await turn();
  expect(saved).toEqual([ONE]);
  await keeper.stop();
});

it('stores nothing when no file has changed or exists', async () => {
  const { keeper, saved, reads, notes, paused, turn } = guest([{}, ONE, ONE, ONE]);
  keeper.announced();
  await paused();
  expect(reads()).toBe(1);
  for (const count of [3, 4]) {
    keeper.announced();
    await turn();
    expect(reads()).toBe(count);
  }
  expect(saved).toEqual([ONE]);
  expect(notes).toEqual([]);
  await keeper.stop();
});

it('merges announcements that arrive while it reads or waits', async () => {
  const { keeper, saved, reads, paused, turn } = guest([ONE, ONE, TWO]);
  keeper.announced();
  await paused();
  for (let word = 0; word < 5; word++) keeper.announced();
  await turn();
  expect(saved).toEqual([ONE, TWO]);
  expect(reads()).toBe(4);
  await keeper.stop();
  keeper.announced();
  expect(reads()).toBe(4);
});

it('continues after a failed read, and stops when no read can succeed', async () => {
  const { keeper, saved, notes, paused, turn } = guest([new Error('no tar'), ONE]);
  keeper.announced();
  await paused();
  keeper.announced();
  await turn();
  expect(saved).toEqual([ONE]);
  expect(notes).toEqual(['A checkpoint could not be kept.']);
  await keeper.stop();

  const unsupported = guest([new SkeinError('SANDBOX_UNSUPPORTED', 'One at a time.')]);
  unsupported.keeper.announced();
  await vi.waitUntil(() => unsupported.notes.length > 0);
  unsupported.keeper.announced();
  await unsupported.keeper.stop();
  expect(unsupported.reads()).toBe(1);
});

it('can be stopped in the middle of a read, which then keeps nothing', async () => {
  const { keeper, saved, notes } = guest([ONE]);
  keeper.announced();
  await keeper.stop();
  expect(saved).toEqual([]);
  expect(notes).toEqual([]);
});

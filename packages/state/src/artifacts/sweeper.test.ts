import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSweeper } from './sweeper.ts';

describe('sweeper', () => {
  it('keeps an artifact that a version refers to', async () => {
    const stored = new Set(['a', 'b']);
    const sweeper = createSweeper(
      { remove: async (digest) => void stored.delete(digest) },
      async () => new Set(['a']),
    );
    await sweeper.sweep(['a', 'b']);
    expect([...stored]).toEqual(['a']);
  });

  it('never removes what an import has stored or a version needs, however they interleave', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.record({ digest: fc.constantFrom('a', 'b', 'c'), add: fc.boolean() }), {
          minLength: 1,
          maxLength: 12,
        }),
        async (scheduler, steps) => {
          const stored = new Set<string>();
          const versions = new Map<string, number>();
          const count = (digest: string) => versions.get(digest) ?? 0;
          const step = (name: string) => scheduler.schedule(Promise.resolve(), name);
          const sweeper = createSweeper(
            {
              async remove(digest) {
                await step(`remove ${digest}`);
                stored.delete(digest);
              },
            },
            async () => {
              const kept = new Set([...versions.keys()].filter((digest) => count(digest) > 0));
              await step('list versions');
              return kept;
            },
          );
          const work = steps.map(async ({ digest, add }) => {
            await step('start');
            if (add) {
              await sweeper.protect(async () => {
                stored.add(digest);
                await step(`put ${digest}`);
                expect(stored).toContain(digest);
                await step(`inspect ${digest}`);
                versions.set(digest, count(digest) + 1);
                expect(stored).toContain(digest);
              });
            } else if (count(digest) > 0) {
              versions.set(digest, count(digest) - 1);
              await sweeper.sweep([digest]);
            }
          });
          await scheduler.waitFor(Promise.all(work));
          for (const digest of ['a', 'b', 'c']) {
            expect(stored.has(digest)).toBe(count(digest) > 0);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('does not fail an import because another artifact could not be removed', async () => {
    const sweeper = createSweeper(
      { remove: () => Promise.reject(new Error('read-only')) },
      async () => new Set<string>(),
    );
    const imported = await sweeper.protect(async () => {
      await sweeper.sweep(['a']);
      return 'done';
    });
    expect(imported).toBe('done');
    await expect(sweeper.sweep(['a'])).rejects.toThrow('read-only');
  });
});

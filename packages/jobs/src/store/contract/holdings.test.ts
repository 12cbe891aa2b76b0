/** Which tenant holds which artifacts, and how much that is. */
import { expect, it } from 'vitest';
import { overEveryStore } from '../testing/every-store.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);

overEveryStore('holdings', (at) => {
  it('are counted once per tenant and artifact', async () => {
    const { store } = at;
    expect(await store.heldArtifacts()).toEqual([]);
    expect(await store.holdArtifact('t', A, 10)).toBe(true);
    expect(await store.holdArtifact('t', A, 10)).toBe(false);
    expect(await store.holdArtifact('t', B, 5)).toBe(true);
    expect(await store.holdArtifact('other', A, 10)).toBe(true);
    expect(await store.heldArtifacts()).toEqual([
      { tenant: 'other', bytes: 10 },
      { tenant: 't', bytes: 15 },
    ]);
    expect(await store.lackedArtifacts('t', [A, B])).toEqual([]);
    expect(await store.lackedArtifacts('other', [A, B])).toEqual([B]);
    expect(await store.lackedArtifacts('third', [A])).toEqual([A]);
  });

  it('end for every tenant with the artifact', async () => {
    const { store } = at;
    await store.holdArtifact('t', A, 10);
    await store.holdArtifact('t', B, 5);
    await store.holdArtifact('other', A, 10);
    const dropped = await store.dropArtifact(A);
    expect(dropped.map(({ tenant }) => tenant).sort()).toEqual(['other', 't']);
    expect(dropped.map(({ bytes }) => bytes)).toEqual([10, 10]);
    expect(await store.heldArtifacts()).toEqual([{ tenant: 't', bytes: 5 }]);
    expect(await store.lackedArtifacts('t', [A, B])).toEqual([A]);
    expect(await store.dropArtifact(A)).toEqual([]);
  });
});

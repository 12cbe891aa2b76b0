import { expect, it, vi } from 'vitest';
import type { Caller, Embeddings } from './contract.ts';
import { embedDeployed } from './embed-deployed.ts';
import { FieldError } from './field-error.ts';
import type { Ledger } from './money/ledger.ts';

it('runs nothing for dimensions that a deployed model does not have', async () => {
  const settle = vi.fn<(spent: object) => void>();
  const ledger = { reserve: async () => ({ settle }) } as unknown as Ledger;
  const encode = vi.fn<(texts: readonly string[], caller: Caller) => Promise<Embeddings>>(
    async () => ({ vectors: [], usage: { inputTokens: 1, outputTokens: 0 } }),
  );
  const caller = {
    tenant: 't',
    key: 'k',
    signal: new AbortController().signal,
    arrivedAt: 0,
  } as unknown as Caller;
  const plane = { embed: () => encode, ledger, clock: performance };
  const refused = embedDeployed(plane, { model: 'm', inputs: ['a'], dimensions: 3 }, caller);
  await expect(refused).rejects.toBeInstanceOf(FieldError);
  expect(encode).not.toHaveBeenCalled();
  expect(settle).not.toHaveBeenCalled();

  const answered = await embedDeployed(plane, { model: 'm', inputs: ['a'] }, caller);
  expect(answered?.usage.inputTokens).toBe(1);
  expect(settle).toHaveBeenCalledWith({ nanoDollars: 0, tokens: 1 });
});

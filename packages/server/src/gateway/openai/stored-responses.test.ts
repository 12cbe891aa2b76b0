import { SkeinError } from '@skein/api';
import { expect, it } from 'vitest';
import { keptResponses } from '../../language/kept-responses.ts';
import { strictLogger } from '../../testing/fake-inference.ts';
import { reasoningSeals } from './reasoning-seals.ts';
import { conversationOf } from './stored-responses.ts';

const value = (text: string): string => {
  const output = [{ type: 'message', role: 'assistant', content: [{ type: 'output_text', text }] }];
  const input = [{ role: 'user', content: [{ type: 'text', text: `${text}?` }] }];
  return JSON.stringify({ response: { output }, input });
};
const chain = [
  { id: 'two', previous: 'one', value: value('später') },
  { id: 'one', value: value('earlier') },
];
const seals = reasoningSeals({ key: undefined, tenant: 't', hold: () => {} });
const kept = { chain: async () => chain, keep: async () => true, remove: async () => true };

it('are read oldest first, and take memory of the budget of bodies while they are used', async () => {
  const held: number[] = [];
  const messages = await conversationOf('two', kept, (bytes) => void held.push(bytes), seals);
  expect(messages.map(({ content }) => content)).toMatchObject(
    ['earlier?', 'earlier', 'später?', 'später'].map((text) => [{ text }]),
  );
  expect(held).toEqual([chain[0]!.value.length + chain[1]!.value.length]);
  const full = new SkeinError('BODIES_TOO_LARGE', 'x');
  const refused = conversationOf(
    'two',
    kept,
    () => {
      throw full;
    },
    seals,
  );
  await expect(refused).rejects.toBe(full);
});

it('are left out, and the operator notified, where the store fails: the answer is paid for', async () => {
  const warned: unknown[] = [];
  const putResponse = () => Promise.reject(new SkeinError('STORE_UNREACHABLE', 'x'));
  const responses = keptResponses(
    { tenant: 'shop', actor: 'k' },
    {
      responses: { putResponse } as never,
      policy: () => ({ count: 1, bytes: 1000, ageMs: 1000 }),
      logger: { ...strictLogger, warn: (details) => void warned.push(details) },
    },
  );
  expect(await responses.keep({ id: 'one', value: '{}' })).toBe(false);
  expect(warned).toMatchObject([{ err: { code: 'STORE_UNREACHABLE' } }]);
});

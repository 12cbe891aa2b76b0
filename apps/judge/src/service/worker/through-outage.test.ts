import { SkeinError } from '@skein/api';
import { expect, it } from 'vitest';
import { throughOutage } from './through-outage.ts';

const away = new SkeinError('STORE_UNREACHABLE', 'The bucket is away.');

function failing(...errors: Error[]) {
  return async (): Promise<string> => {
    const error = errors.shift();
    if (error !== undefined) throw error;
    return 'there';
  };
}

it('waits for a store that is away, and for nothing else', async () => {
  const { signal } = new AbortController();
  expect(await throughOutage(failing(away, away, away), signal, 1)).toBe('there');
  const gone = new SkeinError('ARTIFACT_UNKNOWN', 'It is gone.');
  await expect(throughOutage(failing(away, gone), signal, 1)).rejects.toBe(gone);
});

it('ends with its signal', async () => {
  const ending = new AbortController();
  const waiting = throughOutage(
    async () => {
      ending.abort();
      throw away;
    },
    ending.signal,
    3_600_000,
  );
  await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
});

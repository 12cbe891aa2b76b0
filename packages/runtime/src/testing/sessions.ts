/** Sessions that are closed after the test. */
import { afterEach } from 'vitest';
import type { Session } from '../contract.ts';
import { nativeRuntime } from '../native/native-runtime.ts';

export const opened: Session[] = [];
afterEach(async () => {
  for (const session of opened.splice(0)) await session.close();
});

export async function open(model: Uint8Array, isolation: 'thread' | 'process'): Promise<Session> {
  const options = { device: 'cpu', threads: 1, isolation } as const;
  const session = await nativeRuntime.open({ bytes: model }, options);
  opened.push(session);
  return session;
}

/** For tests of crashes: ends the worker of a session. */
import type { Session } from './contract.ts';
import { workers } from './native/session.ts';

/**
 * Ends the thread, or kills the child process, under a native session, as a crash would; resolves
 * when it is gone. The session then is lost, not closed.
 */
export async function crashSession(session: Session): Promise<void> {
  const worker = workers.get(session);
  if (worker === undefined) throw new TypeError('The session is not native, so it has no worker.');
  await worker.stop();
}

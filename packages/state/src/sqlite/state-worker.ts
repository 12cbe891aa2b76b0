/** The thread of the database: executes calls one at a time, in the order of arrival. */
import { parentPort, workerData } from 'node:worker_threads';
import type { State } from '../contract.ts';
import { openLocalState } from './local-state.ts';
import { failureOf, type Call, type Outcome } from './state-messages.ts';

function serve(port: NonNullable<typeof parentPort>, path: string): void {
  const reply = (id: number, outcome: Outcome) => port.postMessage({ id, ...outcome }, []);
  let state: State;
  try {
    state = openLocalState(path);
  } catch (error) {
    reply(0, { failure: failureOf(error) });
    return;
  }
  port.on('message', ({ id, method, args }: Call) => {
    const call = state[method] as (...args: readonly unknown[]) => Promise<unknown>;
    call(...args).then(
      (value) => {
        reply(id, { value });
        if (method === 'close') port.close();
      },
      (error: unknown) => reply(id, { failure: failureOf(error) }),
    );
  });
  reply(0, { value: undefined });
}

if (parentPort) serve(parentPort, (workerData as { path: string }).path);

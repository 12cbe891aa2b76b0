/**
 * Forwards a call of a composition as an inference request with the remaining deadline, tenant,
 * priority and trace of the composition's request.
 */
import { SkeinError } from '@skein/api';
import { moving } from '@skein/calls';
import type { Clock, Inference } from '../contract.ts';
import type { ServingLog } from '../serving-log.ts';
import type { CompositionRun } from './composition-run.ts';
import type { CallMessage } from './composition-worker.ts';
import { pack, unpack, type WireTensors } from '../tensor-transfer.ts';

export interface ForwarderOptions {
  /** The composition's own name, for the log. */
  readonly deployment: string;
  readonly infer: Inference['infer'];
  readonly clock: Clock;
  readonly log: ServingLog;
}

/** @returns a function that forwards one call; it throws coded errors only. */
export function callForwarder({ deployment, infer, clock, log }: ForwarderOptions) {
  return async (run: CompositionRun | undefined, message: CallMessage): Promise<WireTensors> => {
    const { deployment: callee } = message;
    if (run === undefined || run.settled) {
      throw new SkeinError('CANCELLED', 'The request has ended.');
    }
    const { request } = run;
    const cancellation = run.beginCall();
    try {
      const { outputs } = await infer({
        id: request.id,
        deployment: callee,
        inputs: unpack(message.inputs),
        outputs: message.outputs,
        arrivedAt: clock.now(),
        deadline: request.deadline,
        priority: request.priority,
        tenant: request.tenant,
        stickyKey: request.stickyKey,
        cancellation,
        trace: request.trace,
        protocol: 'internal',
      });
      const { tensors, transfer } = pack(outputs, false);
      return moving(tensors, transfer);
    } catch (thrown) {
      if (thrown instanceof SkeinError) throw thrown;
      log('A call of a composition failed.', { deployment, callee, error: thrown });
      throw new SkeinError('INTERNAL', `The call to "${callee}" failed.`);
    } finally {
      run.endCall(cancellation);
    }
  };
}

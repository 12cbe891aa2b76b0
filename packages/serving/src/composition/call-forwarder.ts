/**
 * Forwards a call of a composition as an inference request with the remaining deadline, tenant,
 * priority and trace of the composition's request.
 */
import type { Clock, Inference } from '../contract.ts';
import type { ServingLog } from '../serving-log.ts';
import type { CompositionRun } from './composition-run.ts';
import type { Slot } from './composition-workers.ts';
import type { FromWorker } from './messages.ts';
import { toWireError } from '../wire-error.ts';
import { pack, unpack } from '../tensor-transfer.ts';

type CallMessage = Extract<FromWorker, { kind: 'call' }>;

export interface ForwarderOptions {
  /** The composition's own name, for the log. */
  readonly deployment: string;
  readonly infer: Inference['infer'];
  readonly clock: Clock;
  readonly log: ServingLog;
}

/** @returns a function that forwards one call and sends its outcome to the worker; never rejects. */
export function callForwarder({ deployment, infer, clock, log }: ForwarderOptions) {
  return async (
    slot: Slot,
    run: CompositionRun | undefined,
    message: CallMessage,
  ): Promise<void> => {
    const { call, deployment: callee } = message;
    if (run === undefined || run.settled) {
      const error = { code: 'CANCELLED', message: 'The request has ended.' } as const;
      slot.host.send({ kind: 'refusal', call, error });
      return;
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
      slot.host.send({ kind: 'answer', call, outputs: tensors }, transfer);
    } catch (thrown) {
      let error = toWireError(thrown);
      if (error === undefined) {
        log('A call of a composition failed.', { deployment, callee, error: thrown });
        error = { code: 'INTERNAL', message: `The call to "${callee}" failed.` };
      }
      slot.host.send({ kind: 'refusal', call, error });
    } finally {
      run.endCall(cancellation);
    }
  };
}

/** The parameters that a coordinator sends for training: checked before a row is read. */
import type { Plan } from '../../plan/plan.ts';
import { strategyOfPlan } from '../../plan/strategy.ts';
import { protocolError } from '../../transport/messages.ts';

/**
 * @returns reads float32, [vectors × parameters].
 *
 * A number that is not finite, or one that is missing, would make training fail for some rows and not for others.
 * @throws SkeinError FEDERATION_PROTOCOL, as a function of the plan and the payload alone.
 */
export function parametersOf(
  plan: Plan,
): (payload: Uint8Array<ArrayBuffer> | undefined) => Float32Array {
  const length = strategyOfPlan(plan).site.vectors * plan.model.parameters;
  return (payload) => {
    if (payload?.length !== 4 * length) {
      throw protocolError(
        `A task of training has parameters of ${payload?.length ?? 0} bytes, and the plan asks for ${length} float32.`,
      );
    }
    const numbers = new Float32Array(payload.slice().buffer);
    const flaw = numbers.findIndex((each) => !Number.isFinite(each));
    if (flaw < 0) return numbers;
    throw protocolError(
      `A task of training has ${numbers[flaw]} as its parameter ${flaw}, which is not finite.`,
    );
  };
}

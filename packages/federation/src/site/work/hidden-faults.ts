/**
 * Faults after a site has read rows. A coordinator chooses the model that a site trains, so that it could have training
 * fail for chosen rows only: a refusal then reveals a value that masks and noise hide, costs no budget, and may be asked for
 * again. A site's messages under secure aggregation depend on public values alone, so a fault becomes zeros.
 *
 * | the failure | the part that becomes zero |
 * |---|---|
 * | the gradient of an example, with privacy `patient` | the gradient of the example (`clippedStep`) |
 * | a run of the graph, with privacy `patient` | the gradients of its examples |
 * | anything else, such as steps that diverge | the update of the site |
 */
import type { Backend } from '@skein/train';

/** Called for the operator of the site, and for no other party. */
export type OnFault = (fault: unknown, round: number) => void;

/** @returns what was computed, or zeros where that fails or is not finite. */
export async function orZeros<T extends Float32Array | Float64Array>(
  compute: () => Promise<T>,
  zeros: () => T,
  onFault: (fault: unknown) => void,
): Promise<T> {
  try {
    const found = await compute();
    const flaw = found.findIndex((each: number) => !Number.isFinite(each));
    if (flaw < 0) return found;
    throw new RangeError(`Number ${flaw} of the update is ${found[flaw]}.`);
  } catch (fault) {
    onFault(fault);
    return zeros();
  }
}

/** The backend, whose graphs give zeros in place of failing. */
export function withoutFaults(backend: Backend, onFault: (fault: unknown) => void): Backend {
  return {
    name: backend.name,
    async open(model, options) {
      const graph = await backend.open(model, options);
      return {
        async run(feeds, into = new Map()) {
          try {
            return await graph.run(feeds, into);
          } catch (fault) {
            onFault(fault);
            for (const { bytes } of into.values()) bytes.fill(0);
            return new Map();
          }
        },
        close: () => graph.close(),
      };
    },
  };
}

/**
 * An exchange that begins before the gradient is whole: the numbers of each stage go round as soon as
 * they are final, one stage after the other and in the same order on every rank.
 */
import type { Collective } from '../collective.ts';
import type { Numbers } from '../numbers.ts';
import type { Replica } from '../replica.ts';
import type { Exchange } from '../stepper.ts';
import type { Stage } from '../rank-plan.ts';

export function overlappedExchange(
  collective: Collective,
  { own, sums }: Replica,
  stages: readonly Pick<Stage, 'from' | 'to'>[],
): Exchange {
  let begun = 0;
  let going: Promise<void> = Promise.resolve();
  function begin(from: number, to: number): void {
    begun += 1;
    going = going.then(() => collective.sum(own.subarray(from, to), sums.subarray(from, to)));
    // The caller of `finish` gets the error.
    going.catch(() => undefined);
  }
  return {
    begin,
    async finish(): Promise<Numbers> {
      for (const { from, to } of stages.slice(begun)) begin(from, to);
      begun = 0;
      const all = going;
      going = Promise.resolve();
      await all;
      return sums;
    },
  };
}

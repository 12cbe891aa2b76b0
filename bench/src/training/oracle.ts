/** The modules that PyTorch exported and differentiated, and the share whose gradients here are the same. */
import {
  casesOf,
  flawsOf,
  KINDS,
} from '../../../packages/onnx/src/gradient/testing/pytorch-oracle.ts';
import type { Measure } from '../harness/report.ts';

export const ORACLE: Measure = {
  key: 'oracle_ok',
  what: 'exported PyTorch modules whose gradients agree with PyTorch’s to 1e-4',
  unit: '×',
  target: { atLeast: 1 },
};

export async function measureOracle(): Promise<{ agree: number; cases: number }> {
  const cases = KINDS.filter((kind) => kind.startsWith('modules')).flatMap((kind) =>
    casesOf(kind).map((name) => ({ kind, name })),
  );
  let agree = 0;
  for (const { kind, name } of cases) {
    // A graph that is refused does not agree either.
    const flaws = await flawsOf(kind, name).catch((error: unknown) => [String(error)]);
    if (flaws.length === 0) agree++;
  }
  return { agree, cases: cases.length };
}

import { readModel, values, writeModel } from '@skein/onnx';
import { withTrained, type Backend } from '@skein/train';
import { nativeBackend } from '@skein/train/native';
import { seededRandom } from '@skein/onnx';
import { expect, it } from 'vitest';
import { completePlan } from '../../plan/complete.ts';
import { layoutOf, countsIn } from '../../statistics/layout.ts';
import { draft } from '../../testing/plans.ts';
import { readSiteRows } from '../site-rows.ts';
import { crossedPlan } from '../testing/transcripts.ts';
import { openCounting } from './counting.ts';

const TERMS = {
  rounds: 1,
  strategy: {
    name: 'statistics',
    tables: [[{ kind: 'score' }, { kind: 'label' }], [{ kind: 'column', name: 'pressure' }]],
  },
  privacy: { mode: 'patient', noise: 20 },
} as const;
const HEAD = 'age,sex,pressure,disease\n';
const OTHERS = '40,1,120,1\n50,0,130,0\n60,1,125,1\n';
const rowsWith = (...patients: string[]) =>
  new TextEncoder().encode(HEAD + OTHERS + patients.map((each) => `${each}\n`).join(''));

async function countsOf(
  { plan, model }: Awaited<ReturnType<typeof crossedPlan>>,
  text: Uint8Array<ArrayBuffer>,
  backend: Backend = nativeBackend,
  onFault: () => void = () => {},
) {
  const rows = await readSiteRows(plan.data, text, 'csv', { mayBeOneClass: true });
  const work = await openCounting({ plan, model, rows, backend, onFault });
  return Array.from((await work.update(0, new Float32Array(0))).numbers);
}

it('moves one cell of each table by one row, whatever model the coordinator makes up', async () => {
  const crossed = await crossedPlan(TERMS as never, true);
  const random = seededRandom(5);
  const seen = new Set<string>();
  for (let trial = 0; trial < 30; trial++) {
    const model = readModel(crossed.model);
    // Some scores are beyond float32, and infinite minus infinite is not a number.
    const size = 10 ** (38 * random.next());
    const weights = new Map(
      model.graph!.initializer.map(({ name, dims }) => {
        const shape = dims.map(Number);
        const length = shape.reduce((all, each) => all * each, 1);
        const numbers = Float32Array.from({ length }, () => (random.next() - 0.5) * size);
        return [name, { type: 'float32', shape, bytes: new Uint8Array(numbers.buffer) } as const];
      }),
    );
    const own = { ...crossed, model: new Uint8Array(writeModel(withTrained(model, weights))) };
    const [without, withOne] = [
      await countsOf(own, rowsWith()),
      await countsOf(own, rowsWith('83,0,95,1')),
    ];
    const moved = withOne.map((each, cell) => each - without[cell]!);
    expect(moved.toSorted((a, b) => b - a).slice(0, 3)).toEqual([1, 1, 0]);
    expect(moved.reduce((sum, each) => sum + each, 0)).toBe(2);
    seen.add(String(moved.indexOf(1)));
  }
  expect(seen.size).toBeGreaterThan(2);
});

it('puts a row whose run fails into the cell of rows without a score, and refuses nothing', async () => {
  const crossed = await crossedPlan(TERMS as never, true);
  const failing: Backend = {
    name: 'native',
    async open(...given) {
      const graph = await nativeBackend.open(...given);
      return {
        async run(feeds, into) {
          const [features] = feeds.values();
          if (Number(values(features!)[0]) > 80) throw new Error('aimed at the old');
          return graph.run(feeds, into);
        },
        close: () => graph.close(),
      };
    },
  };
  let faults = 0;
  const found = await countsOf(crossed, rowsWith('83,0,95,1'), failing, () => (faults += 1));
  const { tables } = layoutOf(countsIn(crossed.plan)!, crossed.plan);
  // The last bin of the score, of the second class.
  expect([found[tables[0]!.cells - 1], faults]).toEqual([1, 1]);
  expect(found.reduce((sum, each) => sum + each, 0)).toBe(8);
});

it('refuses a model of other columns before it reads a row', async () => {
  const { model } = await crossedPlan(TERMS as never, true);
  const plan = completePlan(
    draft({ ...TERMS, strategy: { name: 'statistics', tables: [[{ kind: 'score' }]] } } as never),
  );
  const rows = await readSiteRows(
    plan.data,
    new TextEncoder().encode('age,sex,disease\n40,1,1\n'),
    'csv',
    {
      mayBeOneClass: true,
    },
  );
  await expect(openCounting({ plan, model, rows, backend: nativeBackend })).rejects.toMatchObject({
    code: 'PLAN_INVALID',
    message: expect.stringContaining('"pressure"'),
  });
});

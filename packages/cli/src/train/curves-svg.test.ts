import type { Run } from '@skein/api';
import { describe, expect, it } from 'vitest';
import { sampleRun } from '../../../state/src/runs/testing/sample-run.ts';
import { compareRuns } from '@skein/api/run-comparison';
import { trainingCurves } from './curves-svg.ts';

function run(name: string, epochs: number, metrics: (i: number) => Record<string, number>): Run {
  return sampleRun(`20260314-${name.toLowerCase().replaceAll(/\W+/g, '-')}`, {
    name,
    epochs: Array.from({ length: epochs }, (_, i) => ({
      epoch: i + 1,
      loss: 1 / (i + 1),
      learningRate: 0.1,
      tookMs: 5,
      metrics: metrics(i),
    })),
  });
}
const classified = run('a <b> & "c"', 10, (i) => ({
  validationLoss: 2 / (i + 1),
  accuracy: i / 10,
}));
const measured = run('measured', 3, (i) => ({ validationLoss: 1, rmse: 3 - i, r2: -0.5 + i / 4 }));

describe('curves', () => {
  it('are well-formed for every name of a run, and have a line per known metric', () => {
    const svg = trainingCurves([classified]);
    expect(svg).toContain('a &lt;b&gt; &amp; &quot;c&quot;');
    expect(svg.match(/class="line /g)).toHaveLength(3);
    expect(svg).toContain('>training 0.1000<');
    expect(svg).toContain('>validation 0.2000<');
    expect(svg).toContain('>accuracy 0.9000<');
    for (const tag of ['svg', 'text', 'style']) {
      expect(svg.match(new RegExp(`<${tag}[ >]`, 'g'))).toHaveLength(
        svg.match(new RegExp(`</${tag}>`, 'g'))!.length,
      );
    }
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('mark the epoch that the result is of', () => {
    const result = { digest: 'c'.repeat(64), sizeBytes: 1, bestEpoch: 4 };
    expect(trainingCurves([{ ...classified, result }])).toContain('best: epoch 4');
  });

  it('draw one epoch as a point, and a run without metrics without their panel', () => {
    const svg = trainingCurves([run('one', 1, () => ({}))]);
    expect(svg).toContain('<circle');
    expect(svg).not.toContain('on validation rows');
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('of a run without any epoch are an empty picture', () => {
    expect(trainingCurves([run('none', 0, () => ({}))])).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('distinguish runs of the same name', () => {
    const svg = trainingCurves([measured, { ...measured, id: '20260314-measured-abc123' }]);
    expect(svg).toContain('>abc123, R² ');
  });
});

describe('a comparison', () => {
  it('holds what differs and marks what is better', () => {
    const report = { kind: 'regression', rows: 9, loss: 1, mae: 1, rmse: 2, r2: 0.5 } as const;
    const result = { digest: 'c'.repeat(64), sizeBytes: 1, report };
    const a: Run = { ...measured, result };
    const b: Run = {
      ...a,
      plan: { ...a.plan, batch: 64, momentum: 0.9 },
      result: { ...result, report: { ...report, rmse: 1, r2: 0.8, mae: 3 } },
    };
    const { differences, metrics } = compareRuns(a, b);
    expect(differences).toEqual([
      { name: 'batch', a: 32, b: 64 },
      { name: 'momentum', a: undefined, b: 0.9 },
    ]);
    const better = Object.fromEntries(metrics.map(({ name, better }) => [name, better]));
    expect(better).toMatchObject({
      rmse: 'b',
      r2: 'b',
      mae: 'a',
      loss: undefined,
      rows: undefined,
    });
    expect(compareRuns(a, a).differences).toEqual([]);
  });
});

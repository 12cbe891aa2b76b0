/** `skein pipeline` on a real node. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';

let node: NodeProcess;
beforeAll(async () => {
  node = await startNodeProcess({ jobs: true });
});
afterAll(() => node.stop());

describe('skein pipeline', () => {
  const module = join(import.meta.dirname, '../../../../jobs/src/pipeline/testing/word-count.ts');
  const pipeline = ['--pipeline', 'word-count'];

  it('runs, draws and shows', async () => {
    const input = ['--input', '{"text":"a b c d"}'];
    const ran = await node.run(
      'pipeline',
      'run',
      module,
      ...pipeline,
      ...input,
      '--svg',
      'run.svg',
    );
    expect(ran.stdout).toContain('returned {"total":4,"parts":2}');
    expect(ran.code).toBe(0);
    expect(readFileSync(join(node.folder, 'run.svg'), 'utf8')).toContain('2 of 2');
    const run = /run (\S+)/.exec(ran.stdout)?.[1] ?? '';
    expect((await node.run('pipeline', 'show', run)).stdout).toMatch(/count\s+2 succeeded/);
    const shown = await node.run('jobs', 'show', run);
    expect(shown.stdout).toMatch(/^returned\s+{"total":4,"parts":2}$/m);
  });

  it('resumes from the step that failed', async () => {
    const cure = join(node.folder, 'cure');
    const input = JSON.stringify({ text: 'a poison b', failWithout: cure });
    const ran = await node.run('pipeline', 'run', module, ...pipeline, '--input', input);
    expect(ran.code).toBe(1);
    expect(ran.stdout).toContain('a poisoned word');
    const resume = /skein pipeline resume (\S+)/.exec(ran.stdout)?.[1] ?? '';
    writeFileSync(cure, '');
    const again = await node.run('pipeline', 'resume', resume);
    expect(again.stdout).toContain('returned {"total":3,"parts":3}');
    expect(again.code).toBe(0);
  });

  it('explains what is wrong with a module or an input', async () => {
    expect((await node.run('pipeline', 'run', module)).stderr).toContain('several pipelines');
    const drawn = ['--input', '{"text":"a"}', '--svg', 'no/folder.svg'];
    const unwritable = await node.run('pipeline', 'run', module, ...pipeline, ...drawn);
    expect(unwritable).toMatchObject({ code: 1, stdout: '' });
    expect(unwritable.stderr).toContain('"no/folder.svg" cannot be written: there is no such');
    const wrong = await node.run('pipeline', 'run', module, ...pipeline, '--input', '{"text":1}');
    expect(wrong).toMatchObject({ code: 2 });
    expect(wrong.stderr).toContain('--input: text');
    writeFileSync(join(node.folder, 'empty.ts'), 'export const nothing = 1;');
    expect((await node.run('pipeline', 'graph', 'empty.ts')).stderr).toContain('definePipeline');
  });
});

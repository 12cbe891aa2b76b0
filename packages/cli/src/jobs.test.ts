/** Jobs from the command line, on a real node: in a folder of files, as a person would use them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '@skein/api';
import type { RunOutcome } from './commands/run.ts';
import { runCli, startCli, startNodeProcess, type TestNode } from './testing/cli.ts';

/** Trusted, so that the tests do not depend on what sandboxes this machine has. */
const TRUSTED = ['--trusted', '--sandbox', 'process', '--network', 'host'];

let node: TestNode;
beforeAll(async () => {
  node = await startNodeProcess();
  writeFileSync(join(node.folder, 'data.csv'), 'b\na\n');
});
afterAll(() => node.stop());

describe('skein run', () => {
  it('takes the files along that the command names, and brings back what is asked for', async () => {
    const { code, stdout, stderr } = await node.run(
      'run',
      ...TRUSTED,
      '--output=sorted.csv',
      '--name=sort it',
      '--',
      'sh',
      '-c',
      'echo sorting >&2; sort data.csv > sorted.csv; ls',
      'sh',
      'data.csv',
    );
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toContain('sorting');
    expect(stdout).toContain('sort it succeeded');
    expect(readFileSync(join(node.folder, 'sorted.csv'), 'utf8')).toBe('a\nb\n');
  });

  it('does not take what it is to write along from the last time', async () => {
    for (const text of ['first', 'second']) {
      const command = ['sh', '-c', `echo ${text} > "$1"`, 'sh', 'written.txt'];
      const { code } = await node.run('run', ...TRUSTED, '--output=written.txt', '--', ...command);
      expect(code).toBe(0);
    }
    expect(readFileSync(join(node.folder, 'written.txt'), 'utf8')).toBe('second\n');
  });

  it('exits with 1 and says why when the command fails, and does not try it again unasked', async () => {
    const { code, stdout } = await node.run('run', '--json', ...TRUSTED, 'sh', '-c', 'exit 7');
    expect(code).toBe(1);
    const { job } = JSON.parse(stdout) as RunOutcome;
    expect(job).toMatchObject({ state: 'failed', cause: 'exit-code' });
    expect(job.message).toContain('7');
    expect(job.attempts).toHaveLength(1);
  });

  it('reads options only before the command', async () => {
    const { stdout } = await node.run('run', ...TRUSTED, 'echo', '--json', '--help', '-x');
    expect(stdout).toContain('--json --help -x');
  });

  it('cancels the job when it is interrupted', async () => {
    const run = startCli(['run', ...TRUSTED, '--', 'sh', '-c', 'echo begun; exec sleep 600'], {
      cwd: node.folder,
    });
    await run.saw(/begun/);
    run.process.kill('SIGINT');
    expect((await run.ended).code).toBe(130);
    const { stdout } = await node.run('jobs', 'ls', '--json', '--limit', '1');
    const [job] = (JSON.parse(stdout) as { jobs: JobView[] }).jobs;
    expect(job?.cause ?? job?.state).toBe('cancelled');
  });

  it('refuses inputs that are not there, and options that are wrong', async () => {
    const missing = await node.run('run', '--input', 'nothing.csv', '--', 'true');
    expect(missing).toMatchObject({ code: 1 });
    expect(missing.stderr).toContain('There is no file nothing.csv');
    expect((await node.run('run')).stderr).toContain('COMMAND… is missing');
    expect((await node.run('run', '--env', 'x', '--', 'true')).stderr).toContain('NAME=VALUE');
    expect((await node.run('run', '--input', '../x', '--', 'true')).code).toBe(2);
  });
});

describe('skein jobs', () => {
  it('lists, shows and follows a job that was left to the node', async () => {
    const left = await node.run('run', '--detach', '--json', ...TRUSTED, 'echo', 'from afar');
    const { id } = (JSON.parse(left.stdout) as RunOutcome).job;
    const followed = await node.run('jobs', 'logs', '-f', id);
    expect(followed).toMatchObject({ code: 0, stderr: '' });
    expect(followed.stdout).toContain('from afar');
    expect((await node.run('jobs', 'ls', '--state', 'succeeded')).stdout).toContain(id);
    const shown = await node.run('jobs', 'show', id);
    expect(shown.stdout).toMatch(/attempt 1\s+succeeded/);
    expect(shown.stdout).toContain('echo from afar');
    const again = await node.run('jobs', 'retry', '--json', id);
    expect((JSON.parse(again.stdout) as JobView).id).not.toBe(id);
    expect((await node.run('jobs', 'show', 'nobody')).stderr).toContain('JOB_UNKNOWN');
    expect((await node.run('jobs', 'revive', id)).stderr).toContain('JOB_NOT_ENDED');
  });

  it('waits in a paused queue until it is opened, or cancelled', async () => {
    await node.run('queue', 'pause', 'nightly');
    const left = await node.run('run', '--detach', '--json', '--queue=nightly', ...TRUSTED, 'true');
    const { job } = JSON.parse(left.stdout) as RunOutcome;
    expect((await node.run('queue', 'ls')).stdout).toMatch(/nightly\s+paused/);
    const cancelled = await node.run('jobs', 'cancel', job.id);
    expect(cancelled.stdout).toContain('cancelled');
    expect((await node.run('queue', 'open', 'nightly')).stdout).toContain('nightly is open');
    expect((await node.run('queue', 'drain', 'nightly')).code).toBe(0);
    const refused = await node.run('run', '--detach', '--queue', 'nightly', '--', 'true');
    expect(refused.stderr).toContain('QUEUE_DRAINING');
    expect((await node.run('queue', 'tenant', 'students', '--weight', '2')).stdout).toContain(
      'weight 2',
    );
  });
});

describe('skein artifacts', () => {
  it('stores a file by its content and brings it back', async () => {
    const { stdout } = await node.run('artifacts', 'put', '--json', 'data.csv');
    const { digest } = JSON.parse(stdout) as { digest: string };
    const got = await node.run('artifacts', 'get', digest, '--out', 'copy.csv');
    expect(got.code).toBe(0);
    expect(readFileSync(join(node.folder, 'copy.csv'), 'utf8')).toBe('b\na\n');
    const none = await node.run('artifacts', 'get', '0'.repeat(64));
    expect(none.stderr).toContain('ARTIFACT_UNKNOWN');
  });
});

describe('skein pipeline', () => {
  const module = join(import.meta.dirname, '../../server/src/jobs/pipeline/testing/word-count.ts');
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
  });

  it('goes on from the step that failed', async () => {
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

  it('says what is wrong with a module or an input', async () => {
    expect((await node.run('pipeline', 'run', module)).stderr).toContain('several pipelines');
    const wrong = await node.run('pipeline', 'run', module, ...pipeline, '--input', '{"text":1}');
    expect(wrong).toMatchObject({ code: 2 });
    expect(wrong.stderr).toContain('--input: text');
    writeFileSync(join(node.folder, 'empty.ts'), 'export const nothing = 1;');
    expect((await node.run('pipeline', 'graph', 'empty.ts')).stderr).toContain('definePipeline');
  });
});

it('a job runs without a node, and can be looked at afterwards', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'skein-alone-'));
  try {
    const ran = await runCli(['run', ...TRUSTED, 'echo', 'alone'], { cwd: folder });
    expect(ran).toMatchObject({ code: 0 });
    expect(ran.stdout).toContain('alone');
    const listed = await runCli(['jobs', 'ls'], { cwd: folder });
    expect(listed.stdout).toContain('echo alone');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

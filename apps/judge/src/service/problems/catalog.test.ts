/** Which packages a judge serves, and what it shows of them. */
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { openArtifacts } from '@skein/state';
import { expect, it, onTestFinished } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { packageFolder } from '../../testing/package-folder.ts';
import { packageFile } from '../api/package-file.ts';
import { openJudgeDatabase } from '../schema.ts';
import { type Catalog, openCatalog } from './catalog.ts';

it('shows a package as it was at the start, as it judges it', async () => {
  const folder = testFolder();
  const at = join(folder, 'problems', 'echo');
  cpSync(packageFolder({ 'attachments/notes.txt': 'x' }), at, { recursive: true });
  // A sample is any bytes.
  writeFileSync(join(at, 'data/sample/1.in'), Buffer.from([0x31, 0xe9]));
  const bad = join(folder, 'problems', 'bad');
  cpSync(packageFolder({}), bad, { recursive: true });
  writeFileSync(join(bad, 'statement/problem.en.md'), Buffer.from([0xe9]));
  const { problems, broken } = await catalogOf(folder);
  expect(broken).toEqual([{ name: 'bad', reason: 'statement/problem.en.md: it is not UTF-8.' }]);
  rmSync(at, { recursive: true });
  const echo = problems.get('echo')!;
  expect(echo.samples).toEqual([{ name: 'sample/1', input: '1\uFFFD', output: '1\n' }]);
  expect([...echo.statements.values()]).toEqual([{ format: 'html', html: '<p>Echo.</p>\n' }]);
  await expect(packageFile(echo, 'attachments/notes.txt')).rejects.toMatchObject({
    code: 'PROBLEM_UNKNOWN',
  });
});

it('serves a statement at the root of its package, and nothing next to it', async () => {
  const folder = testFolder();
  const at = join(folder, 'problems', 'echo');
  cpSync(packageFolder({ 'statement/problem.en.md': undefined, 'problem.pdf': '%PDF' }), at, {
    recursive: true,
  });
  const echo = (await catalogOf(folder)).problems.get('echo')!;
  expect([...echo.publicFiles]).toEqual(['problem.pdf']);
  const { type, content } = await packageFile(echo, 'problem.pdf');
  expect(type).toBe('application/pdf');
  expect(await text(content)).toBe('%PDF');
});

async function catalogOf(folder: string): Promise<Catalog> {
  const database = openJudgeDatabase(join(folder, 'judge.db'));
  const artifacts = await openArtifacts(join(folder, 'blobs'), join(folder, 'cache'));
  onTestFinished(async () => {
    await artifacts.close();
    database.close();
  });

  return openCatalog({
    folder: join(folder, 'problems'),
    unpackedFolder: join(folder, 'unpacked'),
    artifacts,
    database,
  });
}

/**
 * Follows the commands for Google in docs/guide/language-models.md, with the faulty upstream in the place of Gemini, and
 * the same page's commands over a second provider that fails. docs/guides.test.ts follows the rest of the page.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openFaultyUpstream, type FaultyUpstream } from '@skein/generative/faulty-upstream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { runCli, startCli, type CliProcess } from '../../testing/cli.ts';

const GUIDE = join(import.meta.dirname, '../../../../../docs/guide/language-models.md');

const folder = testFolder();
let upstream: FaultyUpstream;
let node: CliProcess;
let url: string;
let lines: string[];

beforeAll(async () => {
  const blocks = (await readFile(GUIDE, 'utf8')).matchAll(/```console\n([\s\S]*?)```/g);
  lines = [...blocks].flatMap(([, block = '']) =>
    block.trim().replaceAll('npx skein', 'skein').split('\n'),
  );
  upstream = await openFaultyUpstream();
  const args = ['up', '--port', '0', '--grpc-port', '0'];
  node = startCli(args, { cwd: folder, env: { GEMINI_API_KEY: 'a-secret' } });
  await node.saw(/Skein is ready[\s\S]*API/);
  url = /http:\/\/127\.0\.0\.1:\d+/.exec(node.output.stdout + node.output.stderr)![0];
}, 60_000);
afterAll(async () => {
  node.process.kill('SIGTERM');
  await node.ended;
  await upstream.close();
});

/** @param more words after the words of the guide. */
async function skein(line: string, ...more: readonly string[]): Promise<string> {
  const args = [...line.split(' ').slice(1), ...more, '--server', url];
  const { code, stdout, stderr } = await runCli(args, { cwd: folder });
  expect([code, stderr], `${line}: ${stdout}`).toEqual([0, expect.any(String)]);
  return stdout;
}

const lineOf = (start: string): string => {
  const at = lines.findIndex((line) => line.startsWith(start));
  expect(at, `the guide has a line "${start}…"`).not.toBe(-1);
  return lines.splice(at, 1)[0]!;
};

async function ask(): Promise<{ content: string; provider: string | null }> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    body: /-d '(.*)'$/.exec(CURL)![1]!,
  });
  const answer = (await response.json()) as { choices?: { message: { content: string } }[] };
  expect(answer.choices, JSON.stringify(answer)).toHaveLength(1);
  const provider = response.headers.get('skein-provider');
  return { content: answer.choices![0]!.message.content, provider };
}
let CURL = '';

it('goes from nothing to an assistant, and on with the second provider while the first is away', async () => {
  expect(lineOf('GEMINI_API_KEY=')).toBe('GEMINI_API_KEY=… skein up');
  const provider = lineOf('skein provider put google');
  await skein(provider, '--url', upstream.baseUrl('gemini', 'none'));
  // A busy machine must not make the first token late here.
  await skein(lineOf('skein model put assistant'), '--deadline', '30s');
  CURL = lineOf('curl ');
  const works = await ask();
  expect(works).toEqual({
    content: expect.stringContaining('quick') as string,
    provider: 'google',
  });

  await skein(
    'skein provider put backup --kind openai',
    '--url',
    upstream.baseUrl('openai', 'none'),
  );
  const routes =
    '--route google=gemini-2.5-flash,input=0.3,output=2.5 --route backup=qwen --ttft 2s --deadline 30s';
  await skein(`skein model put assistant ${routes}`);
  // It is tried with tokens of Google in the tests of `packages/generative`.
  expect(await skein(lineOf('skein provider put vertex'))).toContain('of kind vertex');
  await skein(provider, '--url', upstream.baseUrl('gemini', 'status-500'));
  const fallen = await ask();
  expect(fallen).toEqual({ content: works.content, provider: 'backup' });
  expect(await skein('skein ls')).toMatch(/^Language models: assistant\. See .*skein model ls\./);
  expect(await skein('skein model ls')).toMatch(/backup=qwen/);
  const broken = 'skein provider put broken --kind openai';
  await skein(broken, '--url', upstream.baseUrl('openai', 'status-500'));
  await skein('skein model put lost --route broken=qwen');
  const body = JSON.stringify({ model: 'lost', messages: [{ role: 'user', content: 'Hello' }] });
  await (await fetch(`${url}/v1/chat/completions`, { method: 'POST', body })).text();
  expect(await skein('skein model ls')).toMatch(/lost +no route has answered.* 1 +1 /);
  // One that broke off has cost something.
  await skein(broken, '--url', upstream.baseUrl('openai', 'truncated-200'));
  await skein('skein model put lost --route broken=qwen,input=1000,output=1000');
  await (await fetch(`${url}/v1/chat/completions`, { method: 'POST', body })).text();
  const models = await skein('skein model ls');
  expect(models).toMatch(/lost +broken=qwen .* 0 +0 +[1-9]\d* +[1-9]\d* +\$0\.0[1-9]/);
  expect(models).toMatch(/lost +no route has answered.* 2 +2 +0 +0 /);
  await skein(provider, '--url', upstream.baseUrl('gemini', 'none'));
  await skein('skein provider put next --kind openai', '--url', upstream.baseUrl('openai', 'none'));
  const begun = await skein(
    'skein model rollout assistant --route next=qwen3 --canary 5,25,100 --step-time 10m',
  );
  expect(begun).toMatch(/google=gemini-2.5-flash → next=qwen3 .* 5 %/);
  expect(await skein('skein model rollout assistant')).toContain('0 failed, 0 late');
  expect(await skein('skein model ls')).toContain('→ next=qwen3');
  expect(await skein('skein model rollback assistant')).toContain(
    'back to google=gemini-2.5-flash',
  );
  const wrong = await runCli(['model', 'rollout', 'assistant', '--canary', '5', '--server', url], {
    cwd: folder,
  });
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('--route')]);
  const shadow = 'skein model rollout assistant --route next=qwen3 --shadow --min-requests 1';
  expect(await skein(shadow)).toMatch(/comparing.*0 copies/);
  await skein('skein model rollback assistant');
  await skein('skein budget put operator --usd 2');
  await skein('skein budget put tenant:default --usd 5');
  expect(await skein('skein budget ls')).toMatch(
    /operator +day +\$0\.0000 +\$2\.0000\n.*tenant:default +day +\$0\.\d{4} +\$5\.0000/,
  );
  await skein('skein provider allow ward-3 backup');
  expect(await skein('skein redaction put email --kind email --of prompts')).toContain(
    '[email] in prompts',
  );
  expect(await skein('skein responses put --count 500 --bytes 8MiB --age 168h')).toContain(
    'The last 500 responses of each key are stored for 7 d, 8.00 MiB at most',
  );
  expect(await skein('skein responses put --count 7')).toContain('The last 7 responses');
  expect(lines).toEqual([]);

  expect(await skein('skein provider ls')).toMatch(/backup[\s\S]*google/);
  await skein('skein budget rm tenant:default');
  expect(JSON.parse(await skein('skein budget ls', '--json'))).toMatchObject([
    { subject: 'operator', period: 'day', unit: 'usd', limit: 2, taken: 0 },
  ]);
  await skein('skein budget rm operator');
  expect(await skein('skein budget ls')).toContain('No budget is set.');
  expect(await skein('skein redaction ls')).toMatch(/email +email +prompts +\[email\] +all +all/);
  expect(await skein('skein responses rm')).toContain('No response is stored');
  await skein('skein redaction rm email');
  expect(await skein('skein redaction ls')).toContain('Nothing is redacted');
  await skein('skein model rm assistant');
  for (const name of ['backup', 'google']) await skein(`skein provider rm ${name}`);
  expect(await skein('skein provider ls')).not.toMatch(/backup|google/);
  expect(node.output.stdout + node.output.stderr).not.toContain('a-secret');
}, 300_000);

import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { writeExampleModel } from '@skein/generative/model-files';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startNodeProcess, type NodeProcess } from '../../../server/src/testing/node-process.ts';

let node: NodeProcess;
beforeAll(async () => {
  node = await startNodeProcess();
  await writeExampleModel(join(node.folder, 'example'));
});
afterAll(() => node.stop());

it('deploys a folder, which then answers at the face of OpenAI', async () => {
  const { code, stdout, stderr } = await node.run('deploy', 'example');
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  expect(stdout).toMatch(/example.* is served[\s\S]*llama, 2 layers, ONNX[\s\S]*1024 tokens/);
  const answer = await fetch(`${node.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'example', messages: [{ role: 'user', content: 'Hi' }] }),
  });
  const { choices } = (await answer.json()) as { choices: { message: { content: string } }[] };
  expect(choices[0]!.message.content).toMatch(/^Hello! I am the example model/);
}, 60_000);

it('declares a path of the caller’s working directory as an absolute one', async () => {
  const { code } = await node.run('provider', 'put', 'near', '--kind', 'onnx', '--path', 'example');
  expect(code).toBe(0);
  const answer = await fetch(`${node.url}/api/v1/language`);
  const { settings } = (await answer.json()) as { settings: { providers: object[] } };
  expect(settings.providers).toContainEqual(
    expect.objectContaining({ name: 'near', path: join(node.folder, 'example') }),
  );
}, 60_000);

it('refuses options that would change nothing of a language model', async () => {
  for (const option of ['--objective=1s', '--canary=5,100', '--metadata=a=b', '--untrusted']) {
    const { code, stderr } = await node.run('deploy', 'example', '--name', 'other', option);
    expect([option, code, stderr]).toEqual([
      option,
      2,
      expect.stringContaining('A language model takes --name alone'),
    ]);
  }
}, 60_000);

it('refuses a damaged folder with the part that is wrong', async () => {
  truncateSync(join(node.folder, 'example/tokenizer.json'), 100);
  const { code, stderr } = await node.run('deploy', 'example', '--name', 'other');
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/tokenizer\.json/);
});

/** A model that the caller does not have is refused before the rest of its request is read. */
import { expect, test } from 'vitest';
import { post, send } from '../testing/http-face.ts';
import { bodyBudget } from '@skein/http';
import { startLanguageFaces } from './testing/scripted-gateway.ts';

const wrong = { tools: 'none', messages: 7, input: 7, prompt: 7, contents: 7 };

test.for([
  ['/v1/chat/completions', { model: 'x', ...wrong }],
  ['/v1/completions', { model: 'x', ...wrong }],
  ['/v1/responses', { model: 'x', ...wrong }],
  ['/v1beta/models/x:generateContent', wrong],
  ['/v1beta/models/x:streamGenerateContent', wrong],
  ['/v1beta/models/x:countTokens', wrong],
] as const)('%s', async ([path, body]) => {
  const { port } = await startLanguageFaces();
  const unknown = await send(port, path, post(JSON.stringify(body)));
  expect([unknown.status, unknown.text]).toEqual([404, expect.stringMatching(/\\"x\\"/)]);
  const known = JSON.stringify({ ...body, model: 'chat' });
  expect((await send(port, path.replace('models/x', 'models/chat'), post(known))).status).toBe(400);
});

test('a request counts twice: its values, and the text for its provider', async () => {
  const bodies = bodyBudget(1500);
  const { port } = await startLanguageFaces({ bodies });
  const asks = (length: number): string =>
    JSON.stringify({ model: 'chat', messages: [{ role: 'user', content: 'x'.repeat(length) }] });
  const path = '/v1/chat/completions';
  expect((await send(port, path, post(asks(500)))).status).toBe(200);
  expect((await send(port, path, post(asks(1000)))).text).toContain('bodies_too_large');
  await expect.poll(() => bodies.held).toBe(0);
});

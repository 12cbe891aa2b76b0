/** The callers of a judge over HTTP: their keys, their streams, and pages of other origins. */
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { type Caller, ECHO, serving, type Serving } from '../testing/serving.ts';

const TIMEOUT = 90_000;

describe.skipIf(requireComponent('bubblewrap').skip)('a judge', () => {
  let serve: Serving;
  let alice: Caller;

  beforeAll(async () => {
    serve = await serving({ echo: {} }, { driver: 'bubblewrap' });
    alice = await serve.user('alice');
  }, TIMEOUT);
  afterAll(() => serve?.[Symbol.asyncDispose]());

  it('gives keys to admins’ users, and revokes them from the next call on', async () => {
    expect((await alice.call('GET', 'users')).status).toBe(403);
    expect((await serve.admin.call('POST', 'users', { name: 'alice' })).status).toBe(409);
    expect((await serve.admin.call('POST', 'users', { name: '../x' })).status).toBe(400);
    const carol = await serve.user('carol');
    expect(await carol.get('me')).toEqual({ name: 'carol', admin: false });
    const { users } = await serve.admin.get<{ users: { name: string; keys: { id: string }[] }[] }>(
      'users',
    );
    const id = users.find(({ name }) => name === 'carol')!.keys[0]!.id;
    expect(carol.key).toContain(id);
    await serve.admin.call('DELETE', `keys/${id}`);
    expect((await carol.call('GET', 'me')).body).toMatchObject({ code: 'KEY_INVALID' });
    expect((await serve.anonymous.call('GET', 'me')).body).toMatchObject({
      code: 'KEY_MISSING',
      fix: expect.stringContaining('skein-judge users'),
    });
  });

  it(
    'ends the stream of a user whose key is revoked, and gives the reason',
    async () => {
      const dora = await serve.user('dora');
      const slow = await dora.submit('echo', 'import time\ntime.sleep(60)\n');
      const opened = await fetch(`${serve.url}/api/v1/submissions/${slow.id}/events`, {
        headers: { authorization: `Bearer ${dora.key}` },
      });
      const reader = opened.body!.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      const until = async (wanted: string): Promise<void> => {
        while (!text.includes(wanted)) {
          const { value, done } = await reader.read();
          if (done) throw new Error(`The stream ended without ${wanted}: ${text}`);
          text += value;
        }
      };
      await until('event: submission\n');
      await serve.admin.call('DELETE', `keys/${dora.key?.split('_')[1]}`);
      await until('event: error\ndata: {"error":"The API key');
      expect(text).toContain('"code":"KEY_INVALID"');
      expect(text).not.toContain('event: judged');
      await serve.admin.verdict(slow.id);
    },
    TIMEOUT,
  );

  it('keeps its answers from pages of other origins, and takes compressed bodies', async () => {
    for (const path of ['/', '/api/v1/judge', '/api/v1/problems/echo', '/nothing']) {
      const { headers } = await serve.anonymous.call('GET', path);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
      expect(headers.get('access-control-allow-origin')).toBeNull();
    }
    const body = gzipSync(JSON.stringify({ problem: 'echo', language: 'cobol', source: ECHO }));
    const headers = { authorization: `Bearer ${alice.key}`, 'content-encoding': 'gzip' };
    const answer = await fetch(`${serve.url}/api/v1/submissions`, {
      method: 'POST',
      headers,
      body,
    });
    expect(await answer.json()).toMatchObject({ code: 'SUBMISSION_INVALID' });
  });

  it('describes its API, and serves a page that loads nothing from other origins', async () => {
    const { body } = await serve.anonymous.call('GET', '/openapi.json');
    expect(Object.keys((body as { paths: object }).paths)).toContain(
      '/api/v1/submissions/{submission}/events',
    );
    const page = await serve.anonymous.call('GET', '/');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page.body).not.toMatch(/https?:\/\//);
  });
});

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { bundleOf, pagesOf } from './pages.ts';

describe('pages', () => {
  it('are found by their paths, with the type of their ending and the policy', async () => {
    const find = pagesOf(
      { 'img-src': "'self' blob:", 'trusted-types': 'own' },
      { 'X-Own': 'yes' },
      {
        '/': async () => '<p>',
        '/own.js': async () => Uint8Array.of(1, 2),
      },
    );
    expect(find('/other')).toBeUndefined();
    expect(find('toString')).toBeUndefined();
    const { type, body, headers } = (await find('/'))!;
    expect([type, body.toString()]).toEqual(['text/html; charset=utf-8', '<p>']);
    expect(headers.slice(-2)).toEqual(['X-Own', 'yes']);
    const policy = headers[headers.indexOf('Content-Security-Policy') + 1];
    expect(policy).toMatch(/^default-src 'none'; .*img-src 'self' blob:; .*trusted-types own$/);
    expect(await find('/own.js')).toMatchObject({
      type: 'text/javascript; charset=utf-8',
      body: Buffer.of(1, 2),
    });
  });

  it('are made once, and again after a failure', async () => {
    const make = vi.fn<() => Promise<string>>().mockRejectedValueOnce(new Error('no file'));
    make.mockResolvedValue('text');
    const find = pagesOf({}, {}, { '/': make });
    await expect(find('/')).rejects.toThrow('no file');
    const page = await find('/');
    expect(await find('/')).toBe(page);
    expect(make).toHaveBeenCalledTimes(2);
  });
});

it('takes a bundle from its folder where it is installed, and makes it once elsewhere', async () => {
  const folder = join(testFolder(), 'bundle');
  const make = vi.fn(async () => ({ script: 'made', style: 'style' }));
  const url = pathToFileURL(`${folder}/`);
  const fromSource = bundleOf(url, 'page', make);
  expect([await fromSource.script(), await fromSource.style()]).toEqual(['made', 'style']);
  expect(make).toHaveBeenCalledTimes(1);
  mkdirSync(folder);
  writeFileSync(join(folder, 'page.js'), 'kept');
  const installed = bundleOf(url, 'page', make);
  expect([await installed.script(), await installed.style()]).toEqual(['kept', '']);
  expect(make).toHaveBeenCalledTimes(1);
});

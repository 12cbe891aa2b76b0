/** Every promise of the threat model names a test that exists. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const page = readFileSync(join(root, 'docs/concepts/threat-model.md'), 'utf8');
const promises = [...page.matchAll(/^\| ([A-Z]\d+) +\| (.+?) +\| `([^`]+)` ›(.*?)\|$/gm)].map(
  ([, id = '', , file = '', title = '']) => ({ id, file, title: title.trim() }),
);

describe('the promises of the threat model', () => {
  it('are many, and each has an id of its own', () => {
    expect(promises.length).toBeGreaterThan(30);
    expect(new Set(promises.map(({ id }) => id)).size).toBe(promises.length);
  });

  it.each(promises)('$id is held by a test that exists', ({ file, title }) => {
    expect(existsSync(join(root, file)), file).toBe(true);
    const text = readFileSync(join(root, file), 'utf8').replaceAll("\\'", "'");
    expect(text).toMatch(/\b(it|test)(\.|\()/);
    expect(text).toContain(title);
  });
});

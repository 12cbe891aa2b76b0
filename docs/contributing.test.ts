/** CONTRIBUTING names files that exist, and at most three places for each kind of change. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const page = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');
const places = page.slice(page.indexOf('## Where a change goes'), page.indexOf('## How the code'));

/** Each change by its heading in bold. */
const changes = [...places.matchAll(/^\*\*(.+?)\*\*(.*?)(?=^\*\*|$(?![^]))/gms)].map(
  ([, change = '', text = '']) => ({ change, count: text.match(/^\d\. /gm)?.length ?? 0 }),
);
const CODE = /`((?:packages|apps|bench|deploy|docs|examples|fuzz|scripts|\.ci)\/[^`\s]+)`/g;
const LINK = /\]\(([^)#:]+)(?:#[^)]*)?\)/g;
const files = [CODE, LINK].flatMap((form) => [...page.matchAll(form)].map(([, path = '']) => path));

describe('where a change goes', () => {
  it('describes a dozen kinds of change', () => {
    expect(changes.length).toBeGreaterThanOrEqual(12);
  });

  it.each(changes)('is at most three places for $change', ({ count }) => {
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThanOrEqual(3);
  });
});

it.each([...new Set(files)])('%s exists', (path) => {
  // A new thing has no file yet; the folder that it belongs into has.
  const folder = path.includes('NAME') ? dirname(path.slice(0, path.indexOf('NAME') + 1)) : path;
  expect(existsSync(join(root, folder)), folder).toBe(true);
});

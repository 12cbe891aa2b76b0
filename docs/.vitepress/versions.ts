/** The versions that CHANGELOG.md lists, for the menu of the site. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './pages.ts';

export interface Versions {
  /** The version that these pages are about; `next` where a change is not released yet. */
  readonly shown: string;
  /** Newest first. */
  readonly released: readonly string[];
}

export function versionsIn(changes = readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8')): Versions {
  const released = [...changes.matchAll(/^## \[(\d[^\]]*)\]/gm)].map(([, version = '']) => version);
  const [, unreleased = ''] = /^## \[Unreleased\]\n([^]*?)(?=^## |$(?![^]))/m.exec(changes) ?? [];
  const [newest] = released;
  return { shown: newest === undefined || unreleased.trim() !== '' ? 'next' : newest, released };
}

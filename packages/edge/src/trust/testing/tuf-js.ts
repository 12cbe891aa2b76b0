/** The oracle: tuf-js, the client of npm and Sigstore, reading a place in memory. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BaseFetcher, Updater } from 'tuf-js';
import { vi } from 'vitest';
import type { Bytes } from '../source.ts';
import type { MemoryPlace } from './memory-place.ts';
import { NOW } from './publisher.ts';

const { DownloadHTTPError } = (await import('tuf-js/dist/error.js')) as unknown as {
  readonly DownloadHTTPError: new (message: string, status: number) => Error;
};

const BASE = 'http://memory';

class MemoryFetcher extends BaseFetcher {
  readonly #place: () => MemoryPlace;
  constructor(place: () => MemoryPlace) {
    super();
    this.#place = place;
  }
  override async fetch(url: string): Promise<ReadableStream<Bytes>> {
    const path = decodeURIComponent(url.slice(BASE.length + 1));
    const bytes = this.#place().files.get(path);
    if (bytes === undefined) throw new DownloadHTTPError('Failed to download', 404);
    return new Blob([bytes]).stream();
  }
}

export interface TufDevice {
  /** @throws Error of tuf-js. */
  refresh(place: MemoryPlace, now?: number): Promise<void>;
  /** @returns the content of a target; undefined if it is not published. */
  download(path: string): Promise<string | undefined>;
}

/** @param folder for its files. */
export function tufDevice(root: Bytes, folder: string): TufDevice {
  const metadataDir = mkdtempSync(join(folder, 'metadata-'));
  const targetDir = mkdtempSync(join(folder, 'targets-'));
  writeFileSync(join(metadataDir, 'root.json'), root);
  let updater: Updater | undefined;
  let current: MemoryPlace;
  return {
    async refresh(place, now = NOW) {
      current = place;
      vi.useFakeTimers({ now, toFake: ['Date'] });
      try {
        updater = new Updater({
          metadataDir,
          metadataBaseUrl: BASE,
          targetDir,
          targetBaseUrl: `${BASE}/targets`,
          fetcher: new MemoryFetcher(() => current),
        });
        await updater.refresh();
      } finally {
        vi.useRealTimers();
      }
    },
    async download(path) {
      const info = await updater!.getTargetInfo(path);
      return info && updater!.downloadTarget(info);
    },
  };
}

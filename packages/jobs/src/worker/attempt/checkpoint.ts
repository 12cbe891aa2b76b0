/**
 * A command's checkpoint: the files at one workspace path, kept as one artifact that lists them.
 * Each file is an artifact of its own, so that a file that did not change since the last checkpoint
 * takes no space again.
 */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { z } from 'zod';
import type { SandboxSession } from '@skein/sandbox';
import type { AttemptTools } from './attempt-tools.ts';
import { collectOutputs } from './outputs.ts';

const Listing = z.object({
  kind: z.literal('skein.checkpoint'),
  files: z.array(z.object({ path: z.string(), digest: z.string(), sizeBytes: z.int() })),
});

const MAX_LISTING_BYTES = 8 * 2 ** 20;

/** @returns the digest of the listing; undefined when there is no file at the path. */
export async function keepCheckpoint(
  session: Pick<SandboxSession, 'collect'>,
  path: string,
  maxBytes: number,
  tools: Pick<AttemptTools, 'artifacts' | 'lease'>,
): Promise<string | undefined> {
  const files = await collectOutputs(session, [{ path, optional: true }], maxBytes, tools);
  return files.length === 0 ? undefined : keepListing(files, tools);
}

/** @returns the digest of the listing. */
export async function keepListing(
  files: z.input<typeof Listing>['files'],
  { artifacts }: Pick<AttemptTools, 'artifacts'>,
): Promise<string> {
  const listing: z.input<typeof Listing> = { kind: 'skein.checkpoint', files };
  const content = oneChunk(Buffer.from(JSON.stringify(listing)));
  return (await artifacts.put(content, MAX_LISTING_BYTES)).digest;
}

/** Restores the files. They pass through memory one at a time. */
export async function restoreCheckpoint(
  session: Pick<SandboxSession, 'put'>,
  digest: string,
  { artifacts }: Pick<AttemptTools, 'artifacts'>,
): Promise<void> {
  const listing = Listing.parse(
    readJson((await whole(artifacts.read(digest))).toString(), JSON_BOUNDS.stored),
  );
  for (const { path, digest: file } of listing.files) {
    await session.put([{ path, content: await whole(artifacts.read(file)) }]);
  }
}

async function* oneChunk(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  yield chunk;
}

async function whole(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of content) parts.push(part);
  return Buffer.concat(parts);
}

/**
 * The examples that `skein up --example` deploys. They are in the repository, next to the packages; the
 * published package carries the one that needs no other file of the repository.
 */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Client } from '@skein/api/client';
import { SkeinError } from '@skein/api/errors';

export const EXAMPLES = ['ocr', 'vad'] as const;
export type ExampleName = (typeof EXAMPLES)[number];

/** The first request to an example. */
export interface Sample {
  /** The file that is sent, from the folder above `examples`. */
  readonly image: string;
  /** A `curl` line that works from the folder above `examples`. @param credential of `credentialFor`. */
  curl(url: string, credential: string): string;
}

/** Exports of an example's deploy.ts. */
export interface Example {
  deployExample(client: Client, options: { onProgress?: (line: string) => void }): Promise<void>;
  /** The request to try first; absent for an example that is a program of its own. */
  readonly sample?: Sample;
}

const isRepository = import.meta.url.endsWith('.ts');
/** The folder above `examples`: the repository, or this package. */
const above = fileURLToPath(new URL(isRepository ? '../../../..' : '../..', import.meta.url));

/** @throws SkeinError FILE_UNREADABLE when the examples are not installed. */
export async function loadExample(name: ExampleName): Promise<Example> {
  const path = join(above, 'examples', name, isRepository ? 'deploy.ts' : 'deploy.js');
  if (!existsSync(path)) {
    throw new SkeinError(
      'FILE_UNREADABLE',
      `The example ${name} is not here: ${path} does not exist. Examples come with the repository.`,
    );
  }
  return (await import(pathToFileURL(path).href)) as Example;
}

/** The absolute path of a file that an example names. */
export function exampleFile(path: string): string {
  return join(above, path);
}

/** The sample's `curl` line with its file as seen from the working directory. */
export function curlFrom(
  cwd: string,
  sample: Sample,
  { url, key }: { readonly url: string; readonly key?: string | undefined },
): string {
  const line = sample.curl(url, credentialFor(key));
  return line.replaceAll(sample.image, pathFrom(cwd, exampleFile(sample.image)));
}

/** A `curl` option that stands for the caller's key, which no output shows. */
export const credentialFor = (key: string | undefined): string =>
  key === undefined ? '' : " -H 'Authorization: Bearer KEY'";

/** The shorter of the absolute path and the one from the working directory. */
export function pathFrom(cwd: string, path: string): string {
  const short = relative(cwd, path);
  return short.length < path.length ? short : path;
}

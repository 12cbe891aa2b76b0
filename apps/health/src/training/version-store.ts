/**
 * Versions in a folder: `versions/DIGEST/{version.json,model.onnx}`, and `label.json`, which names the version
 * that answers. Files are checked against their digests whenever they are read.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SkeinError } from '@skein/api';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { readModel, type Model } from '@skein/onnx';
import { z } from 'zod';
import { isNetwork } from '../method/network.ts';
import { WIDTH } from '../method/questions.ts';
import { isReadable, versionOf, VersionFile, type Version } from '../method/version.ts';
import type { TrainedVersion } from './train-version.ts';

const Digest = z.string().regex(/^[0-9a-f]{64}$/);
const Label = z.strictObject({ version: Digest });

export interface StoredVersion {
  readonly version: Version;
  readonly model: Model;
}

/** Stores a version whole: it is renamed into its place when its files are on the disk. */
export async function storeVersion(
  folder: string,
  { version, model }: TrainedVersion,
): Promise<string> {
  const place = join(folder, 'versions', version.digest);
  const draft = `${place}.new`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { recursive: true });
  await writeDurably(join(draft, 'model.onnx'), model);
  await writeDurably(join(draft, 'version.json'), `${JSON.stringify(version.file, null, 1)}\n`);
  await rename(draft, place).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    await rm(draft, { recursive: true });
  });
  return version.digest;
}

/** The label is replaced whole. */
export async function giveLabel(folder: string, digest: string): Promise<void> {
  const draft = join(folder, 'label.json.new');
  await writeDurably(draft, `${JSON.stringify({ version: digest })}\n`);
  await rename(draft, join(folder, 'label.json'));
}

/** @throws SkeinError HEALTH_VERSION when there is no label. */
export async function labelled(folder: string): Promise<string> {
  const text = await readFile(join(folder, 'label.json')).catch(() => undefined);
  const label = text && Label.safeParse(attempt(() => readJson(text, JSON_BOUNDS.stored)));
  if (label?.success === true) return label.data.version;
  throw new SkeinError('HEALTH_VERSION', `${folder} names no version that answers.`);
}

/** @throws SkeinError HEALTH_VERSION when it is not there, was changed, or has another format. */
export async function loadVersion(folder: string, digest: string): Promise<StoredVersion> {
  const fail = (what: string): never => {
    throw new SkeinError('HEALTH_VERSION', `Version ${digest.slice(0, 12)} in ${folder} ${what}.`);
  };
  const place = join(folder, 'versions', digest);
  const files = await Promise.all(
    ['version.json', 'model.onnx'].map((name) => readFile(join(place, name))),
  ).catch(() => fail('is not there'));
  const [text, model] = files;
  const file = VersionFile.safeParse(attempt(() => readJson(text!, JSON_BOUNDS.stored)));
  if (!file.success) return fail('is not a version file');
  const version = versionOf(file.data);
  const found = createHash('sha256').update(model!).digest('hex');
  if (version.digest !== digest || found !== file.data.model) return fail('was changed');
  if (!isReadable(file.data)) return fail('was written by another release of this service');
  const network = readModel(new Uint8Array(model!));
  if (!isNetwork(network, WIDTH)) return fail('holds a network of another shape');
  return { version, model: network };
}

async function writeDurably(path: string, content: string | Uint8Array): Promise<void> {
  await writeFile(path, content, { mode: 0o600 });
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function attempt(read: () => unknown): unknown {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** The lineage of a run, from the records of this machine. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { arch, cpus, hostname, platform } from 'node:os';
import { promisify } from 'node:util';
import type { Lineage } from '@skein/api';
import { writeModel, type Model } from '@skein/onnx';
import { onnxRuntimeVersion } from '../run/native-backend.ts';

const execute = promisify(execFile);

export async function codeVersion(
  cwd: string,
  config: string | undefined,
): Promise<Lineage['code']> {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version: skein } = JSON.parse(manifest) as { version: string };
  const commit = await commitOf(cwd);
  return {
    skein,
    ...(commit === undefined ? {} : { commit }),
    ...(config === undefined ? {} : { config }),
  };
}

/** `undefined` outside of a repository, or without git. */
async function commitOf(cwd: string): Promise<string | undefined> {
  const git = async (...words: string[]) => {
    const { stdout } = await execute('git', ['-C', cwd, ...words], { timeout: 5000 });
    return stdout.trim();
  };
  try {
    const commit = await git('rev-parse', 'HEAD');
    const changed = await git('status', '--porcelain', '--untracked-files=no');
    return changed === '' ? commit : `${commit}+`;
  } catch {
    return undefined;
  }
}

export function environment(): Lineage['environment'] {
  return {
    host: hostname(),
    platform: `${platform()} ${arch()}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    node: process.versions.node,
    onnxRuntime: onnxRuntimeVersion,
  };
}

export function digestOfModel(model: Model): string {
  return digestOfBytes(writeModel(model));
}

export function digestOfBytes(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * Files of Hugging Face: `hf://owner/model[@revision][:file]`. A revision is resolved to its commit
 * first, so that all files belong to one commit, which the version records.
 *
 * HF_ENDPOINT names a mirror, and HF_TOKEN holds the token, as for Hugging Face's own client.
 */
import { basename, dirname } from 'node:path/posix';
import { SkeinError } from '@skein/api/errors';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { bearer, encodePath, httpOpener, readText } from './http-source.ts';
import { unknownSource, type Source, type SourceOptions } from './source.ts';

const FORM = /^hf:\/\/([\w.-]+)\/([\w.-]+)(?:@([^:]+))?(?::(.+))?$/;
/** Names that exporters use, in this order; for a repository with several ONNX files. */
const USUAL = ['model.onnx', 'onnx/model.onnx'];

/** @throws SkeinError USAGE, SOURCE_UNKNOWN, SOURCE_DENIED, SOURCE_PRIVATE; errors of the connection. */
export async function hubSource(text: string, options: SourceOptions): Promise<Source> {
  const { env, allowPrivate, signal } = options;
  const [, owner, repository, wanted = 'main', given] = FORM.exec(text) ?? [];
  if (owner === undefined || repository === undefined) {
    throw new SkeinError(
      'USAGE',
      `"${text}" should look like hf://owner/model, hf://owner/model@revision or hf://owner/model:file.onnx.`,
    );
  }
  const endpoint = env['HF_ENDPOINT'] || 'https://huggingface.co';
  if (!/^https?:\/\//.test(endpoint) || !URL.canParse(endpoint)) {
    throw new SkeinError(
      'USAGE',
      `HF_ENDPOINT is "${endpoint}", which is not an https:// address.`,
    );
  }
  const base = new URL(endpoint.replace(/\/*$/, '/'));
  const headers = bearer(env['HF_TOKEN'] || undefined, base);
  const place = `${owner}/${repository}`;
  const revisions = new URL(`api/models/${place}/revision/${encodeURIComponent(wanted)}`, base);
  const list = await readText(revisions, text, { headers, allowPrivate, signal }).catch(
    (error: unknown) => {
      if (error instanceof SkeinError || signal.aborted) throw error;
      const why = (error as Error).message;
      throw new SkeinError('SOURCE_UNREACHABLE', `"${text}" cannot be reached: ${why}.`, {
        cause: error,
      });
    },
  );
  const { commit, names } = listIn(list, text);
  const file = given ?? fileAmong(names, text);
  if (names.length > 0 && !names.includes(file)) {
    throw unknownSource(text, `has no file ${file} at ${commit}; it has ${shown(names)}`);
  }
  const folder = dirname(file);
  const files = {
    address: text,
    headers: async () => headers,
    urlOf: (name: string) =>
      new URL(
        `${place}/resolve/${commit}/${encodePath(folder === '.' ? name : `${folder}/${name}`)}`,
        base,
      ),
  };
  return {
    address: text,
    name: repository,
    fileName: basename(file),
    revision: commit,
    open: httpOpener(files, options),
  };
}

function listIn(text: string, address: string): { commit: string; names: readonly string[] } {
  let list: { sha?: unknown; siblings?: unknown };
  try {
    list = readJson(text, JSON_BOUNDS.stored) ?? {};
  } catch (error) {
    throw unknownSource(address, `has a list that is not JSON: ${(error as Error).message}`);
  }
  const { sha, siblings } = list;
  if (typeof sha !== 'string' || !/^[0-9a-f]{40,64}$/.test(sha)) {
    throw unknownSource(address, 'has a list without a commit');
  }
  const entries = Array.isArray(siblings) ? (siblings as { rfilename?: unknown }[]) : [];
  const names = entries.map((each) => each.rfilename).filter((name) => typeof name === 'string');
  return { commit: sha, names };
}

function fileAmong(names: readonly string[], address: string): string {
  const models = names.filter((name) => name.endsWith('.onnx'));
  const usual = USUAL.find((name) => models.includes(name));
  if (usual !== undefined) return usual;
  if (models.length === 1) return models[0]!;
  throw unknownSource(
    address,
    models.length === 0
      ? `has no ONNX file; it has ${shown(names)}`
      : `has several ONNX files: name one of ${shown(models)} after a colon`,
  );
}

function shown(names: readonly string[]): string {
  const more = names.length > 10 ? ` and ${names.length - 10} more` : '';
  return names.length === 0 ? 'none' : `${names.slice(0, 10).join(', ')}${more}`;
}

/** `skein deploy FOLDER | FILE.gguf`: a language model, which the node runs from where it is. */
import { stat } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import type { LocalModelDescription } from '@skein/generative/local';
import type { Client } from '@skein/api/client';
import type { Style } from '../output/style.ts';
import { type Field, renderFields } from '../output/table.ts';

export interface LanguageDeployed {
  readonly language: LocalModelDescription & { readonly name: string };
  /** Commands that call it. */
  readonly try: readonly string[];
}

/** The absolute path of a folder or a GGUF file; undefined for files of other kinds. */
export async function languageModelPath(cwd: string, file: string): Promise<string | undefined> {
  const path = resolve(cwd, file);
  if (extname(path) === '.gguf') return path;
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return isFolder ? path : undefined;
}

/** @throws SkeinError LANGUAGE_MODEL_INVALID, before the node is asked. */
export async function deployLanguageModel(
  {
    client,
    url,
    hasKey,
  }: { readonly client: Client; readonly url: string; readonly hasKey: boolean },
  { name, path }: { readonly name: string; readonly path: string },
  signal: AbortSignal,
): Promise<LanguageDeployed> {
  const { describeLocalModel } = await import('@skein/generative/local');
  const description = await describeLocalModel(path);
  await client.putProvider({ name, kind: description.kind, path: description.path }, { signal });
  await client.putLanguageModel({ name, routes: [{ provider: name, model: name }] }, { signal });
  const body = JSON.stringify(
    description.chat
      ? { model: name, messages: [{ role: 'user', content: 'Hello' }] }
      : { model: name, prompt: 'Once upon a time' },
  );
  const face = description.chat ? 'chat/completions' : 'completions';
  const key = hasKey ? " -H 'authorization: Bearer KEY'" : '';
  return {
    language: { ...description, name },
    try: [`curl ${url}/v1/${face}${key} -H 'content-type: application/json' -d '${body}'`],
  };
}

export function renderLanguage({ language, try: lines }: LanguageDeployed, style: Style): string {
  const { name, kind, family, context, layers, chat, path } = language;
  const fields: Field[] = [
    ['model', `${family}, ${layers ?? '?'} layers, ${kind === 'onnx' ? 'ONNX' : 'GGUF'}`],
    ['context', `${context ?? '?'} tokens`],
    ['answers', chat ? 'messages and texts' : 'texts only: it has no chat template'],
    ['from', path],
  ];
  return [
    `${style.green('✓')} ${style.bold(name)} is served`,
    renderFields(style, fields)
      .split('\n')
      .map((line) => `  ${line}`)
      .join('\n'),
    '',
    'Try:',
    ...lines.map((line) => `  ${style.cyan(style.commands(line))}`),
  ].join('\n');
}

/** Describes the model at a path on this machine, without loading it. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readGguf } from './gguf/header.ts';
import { readModelFolder } from './model/folder.ts';
import { invalid } from './model/invalid.ts';

export interface LocalModelDescription {
  /** The folder of an ONNX model, or the GGUF file, which may be the only one of the folder that was given. */
  readonly path: string;
  /** The kind of provider that runs it. */
  readonly kind: 'onnx' | 'gguf';
  /** The model's family, such as `llama`. */
  readonly family: string;
  /** Tokens of prompt and answer, as the model states them. */
  readonly context: number | undefined;
  readonly layers: number | undefined;
  /** Whether it answers messages; otherwise it only continues texts. */
  readonly chat: boolean;
}

/**
 * Where the model of a path is: a folder with a GGUF file and no graph means the file.
 *
 * @throws SkeinError LANGUAGE_MODEL_INVALID for several of them.
 */
export async function modelAt(path: string): Promise<string> {
  const names = await readdir(path).catch(() => []);
  const files = names.filter((name) => name.endsWith('.gguf'));
  const [file] = files;
  if (file === undefined || names.some((name) => name === 'onnx' || name.endsWith('.onnx'))) {
    return path;
  }
  if (files.length > 1) {
    throw invalid(`The folder ${path} has ${files.length} .gguf files: give the path of one`);
  }
  return join(path, file);
}

/** @throws SkeinError LANGUAGE_MODEL_INVALID with the part that is missing or wrong. */
export async function describeLocalModel(given: string): Promise<LocalModelDescription> {
  const path = await modelAt(given);
  const found = await stat(path).catch((cause: unknown) => {
    throw invalid(`There is no file or folder ${path}`, cause);
  });
  if (found.isDirectory()) {
    const { family, context, graph, template } = await readModelFolder(path);
    const { layers } = graph;
    return { path, kind: 'onnx', family, context, layers, chat: template !== undefined };
  }
  const { architecture, context, layers, hasChatTemplate } = await readGguf(path);
  return { path, kind: 'gguf', family: architecture, context, layers, chat: hasChatTemplate };
}

/** What a path on this machine holds, without loading it. */
import { stat } from 'node:fs/promises';
import { readGguf } from './gguf/header.ts';
import { readModelFolder } from './model/folder.ts';
import { invalid } from './model/invalid.ts';

export interface LocalModelDescription {
  /** The kind of provider that runs it. */
  readonly kind: 'onnx' | 'gguf';
  /** Such as `llama`. */
  readonly family: string;
  /** Tokens of prompt and answer, as the model states them. */
  readonly context: number | undefined;
  readonly layers: number | undefined;
  /** Whether it answers messages; otherwise it only continues texts. */
  readonly chat: boolean;
}

/** @throws SkeinError LANGUAGE_MODEL_INVALID with the part that is missing or wrong. */
export async function describeLocalModel(path: string): Promise<LocalModelDescription> {
  const found = await stat(path).catch((cause: unknown) => {
    throw invalid(`There is no file or folder ${path}`, cause);
  });
  if (found.isDirectory()) {
    const { family, context, graph, template } = await readModelFolder(path);
    return { kind: 'onnx', family, context, layers: graph.layers, chat: template !== undefined };
  }
  const { architecture, context, layers, hasChatTemplate } = await readGguf(path);
  return { kind: 'gguf', family: architecture, context, layers, chat: hasChatTemplate };
}

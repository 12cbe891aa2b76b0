/** Writes the folder of a model as Hugging Face lays it out, so that the loader reads it as any other. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolders } from '@skein/api/folders';
import { readLlama2c } from './llama2c.ts';
import { LLAMA2C_SPECIAL, tokenizerOfLlama2c } from './llama2c-tokenizer.ts';
import {
  llamaModel,
  type LlamaOptions,
  type LlamaShape,
  type LlamaWeights,
} from './llama-graph.ts';

export interface FolderParts {
  readonly shape: LlamaShape;
  readonly weights: LlamaWeights;
  readonly options: LlamaOptions;
  /** tokenizer.json. */
  readonly tokenizer: Readonly<Record<string, unknown>>;
  /** Without `eos` an answer ends at its limit alone. */
  readonly special: { readonly bos: number; readonly eos?: number };
  readonly specialTokens: { readonly bos: string; readonly eos?: string };
  /** Jinja. */
  readonly chatTemplate: string;
}

export async function writeModelFolder(folder: string, parts: FolderParts): Promise<void> {
  const { shape, weights, options, tokenizer, special, specialTokens, chatTemplate } = parts;
  await makeFolders(folder);
  const json = (name: string, value: unknown): Promise<void> =>
    writeFile(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
  await writeFile(join(folder, 'model.onnx'), llamaModel(shape, weights, options));
  await json('config.json', {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: shape.vocabulary,
    hidden_size: shape.hidden,
    intermediate_size: shape.intermediate,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.keyHeads,
    head_dim: shape.headSize,
    max_position_embeddings: shape.context,
    rope_theta: shape.ropeBase,
    rms_norm_eps: shape.epsilon,
    bos_token_id: special.bos,
    eos_token_id: special.eos,
  });
  await json('tokenizer.json', tokenizer);
  await json('tokenizer_config.json', {
    bos_token: specialTokens.bos,
    eos_token: specialTokens.eos,
    chat_template: chatTemplate,
  });
}

/** Template of a story model, which continues the text of the messages. */
const STORY_TEMPLATE =
  "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% if not loop.last %}\n{% endif %}{% endfor %}";

/** @throws SkeinError LANGUAGE_MODEL_INVALID when a file is not one of llama2.c, or is cut off. */
export async function writeLlama2c(
  folder: string,
  checkpoint: Uint8Array,
  tokenizer: Uint8Array,
): Promise<void> {
  const { shape, weights } = readLlama2c(checkpoint);
  await writeModelFolder(folder, {
    shape,
    weights,
    options: { weights: 'float32' },
    tokenizer: tokenizerOfLlama2c(tokenizer, shape.vocabulary),
    special: LLAMA2C_SPECIAL,
    specialTokens: { bos: '<s>', eos: '</s>' },
    chatTemplate: STORY_TEMPLATE,
  });
}

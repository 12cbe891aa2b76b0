/**
 * Reads the folder of a decoder-only model as Optimum (config.json) and ONNX Runtime GenAI
 * (genai_config.json) export them. Every part is checked before anything is loaded, so that a wrong
 * or truncated folder is refused with the part that is wrong.
 */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { OnnxError } from '@skein/onnx';
import type { Sampling } from '../../contract.ts';
import { asObject, type Json } from '../../wire/json.ts';
import { readChatTemplate, type ChatTemplate } from './chat-template.ts';
import { readDecoder, type DecoderGraph } from './graph.ts';
import { invalid } from './invalid.ts';
import { readVocabulary, type Vocabulary } from './vocabulary.ts';

export interface ModelFolder {
  readonly graph: DecoderGraph;
  /** The folder of the graph and of its files with weights. */
  readonly graphFolder: string;
  /** The model's family, such as `llama`. */
  readonly family: string;
  /** Tokens of prompt and answer. */
  readonly context: number;
  readonly vocabulary: Vocabulary;
  /** Tokens that end an answer. */
  readonly ends: ReadonlySet<number>;
  /** Absent: the model only continues texts. */
  readonly template: ChatTemplate | undefined;
  readonly defaults: SamplingDefaults;
}

/** Defaults that the authors of the model recommend (generation_config.json). */
type SamplingDefaults = Pick<Sampling, 'temperature' | 'topK' | 'topP' | 'repetitionPenalty'>;

/** Where exporters put the graph, most specific first. */
const GRAPHS = [
  'model.onnx',
  'onnx/model.onnx',
  'decoder_model_merged.onnx',
  'onnx/decoder_model_merged.onnx',
  'onnx/model_q4.onnx',
  'onnx/model_quantized.onnx',
  'onnx/model_fp16.onnx',
];
const DEFAULT_CONTEXT = 2048;

/** @throws SkeinError LANGUAGE_MODEL_INVALID with the part that is missing or wrong. */
export async function readModelFolder(folder: string): Promise<ModelFolder> {
  const [config, genai, generation, tokenizerConfig] = await Promise.all(
    ['config.json', 'genai_config.json', 'generation_config.json', 'tokenizer_config.json'].map(
      (name) => readJsonFile(folder, name),
    ),
  );
  const genaiModel = asObject(genai?.['model']);
  if (config === undefined && genai === undefined) {
    throw invalid(`The folder ${folder} has neither config.json nor genai_config.json`);
  }
  const tokenizer = await readJsonFile(folder, 'tokenizer.json');
  if (tokenizer === undefined) throw invalid(`The folder ${folder} has no tokenizer.json`);
  const vocabulary = readVocabulary(tokenizer, tokenizerConfig ?? {});
  const named = asObject(genaiModel?.['decoder'])?.['filename'];
  const graphFile = await findGraph(folder, typeof named === 'string' ? named : undefined);
  const graph = readGraph(graphFile, await readFile(graphFile));
  await checkWeights(dirname(graphFile), graph);
  const stated =
    numberOf(genaiModel?.['context_length']) ??
    numberOf(config?.['max_position_embeddings']) ??
    DEFAULT_CONTEXT;
  const endToken = textOf(tokenizerConfig?.['eos_token']);
  const ends = [
    generation?.['eos_token_id'],
    config?.['eos_token_id'],
    genaiModel?.['eos_token_id'],
    endToken === undefined ? undefined : vocabulary.id(endToken),
  ].flat();
  return {
    graph,
    graphFolder: dirname(graphFile),
    family: textOf(config?.['model_type']) ?? textOf(genaiModel?.['type']) ?? 'unknown',
    context: Math.min(stated, graph.positions),
    vocabulary,
    ends: new Set(ends.filter((id) => typeof id === 'number')),
    template: await readTemplate(folder, tokenizerConfig),
    defaults: defaultsOf(generation ?? asObject(genai?.['search'])),
  };
}

function readGraph(file: string, bytes: Uint8Array): DecoderGraph {
  try {
    return readDecoder(bytes);
  } catch (error) {
    if (!(error instanceof OnnxError)) throw error;
    throw invalid(`${file}: ${error.message.replace(/\.$/, '')}`, error);
  }
}

async function findGraph(folder: string, named: string | undefined): Promise<string> {
  for (const name of named === undefined ? GRAPHS : [named]) {
    const path = resolve(folder, name);
    // The name comes from a file of the model, which is not trusted.
    if (path.startsWith(resolve(folder) + sep) && (await exists(path))) return path;
  }
  throw invalid(
    `The folder ${folder} has no ${named ?? 'model.onnx, nor another graph of a known name'}`,
  );
}

async function checkWeights(folder: string, graph: DecoderGraph): Promise<void> {
  for (const [name, bytes] of graph.externalFiles) {
    const size = await stat(join(folder, name)).then(
      (file) => file.size,
      () => undefined,
    );
    if (size === undefined)
      throw invalid(`The file ${name} with the weights is missing next to the graph`);
    if (size < bytes) throw invalid(`The file ${name} is truncated: ${size} of ${bytes} bytes`);
  }
}

async function readTemplate(
  folder: string,
  config: Json | undefined,
): Promise<ChatTemplate | undefined> {
  const file = await readFile(join(folder, 'chat_template.jinja'), 'utf8').catch(() => undefined);
  const listed = config?.['chat_template'];
  const entries = Array.isArray(listed) ? (listed as { name?: unknown; template?: unknown }[]) : [];
  const source =
    file ?? textOf(listed) ?? textOf(entries.find(({ name }) => name === 'default')?.template);
  if (source === undefined) return undefined;
  const tokens = Object.fromEntries(
    ['bos_token', 'eos_token', 'pad_token', 'unk_token'].map((name) => [
      name,
      textOf(config?.[name]) ?? '',
    ]),
  );
  return readChatTemplate(source, tokens);
}

function defaultsOf(generation: Json | undefined): SamplingDefaults {
  if (generation?.['do_sample'] === false) return { temperature: 0 };
  return {
    temperature: numberOf(generation?.['temperature']),
    topK: numberOf(generation?.['top_k']),
    topP: numberOf(generation?.['top_p']),
    repetitionPenalty: numberOf(generation?.['repetition_penalty']),
  };
}

async function readJsonFile(folder: string, name: string): Promise<Json | undefined> {
  const bytes = await readFile(join(folder, name)).catch(() => undefined);
  if (bytes === undefined) return undefined;
  const found = asObject(valueOf(bytes, name));
  if (found === undefined) throw invalid(`The file ${name} is not a JSON object`);
  return found;
}

function valueOf(bytes: Uint8Array, name: string): unknown {
  try {
    return readJson(bytes, JSON_BOUNDS.model, 'text');
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
    throw invalid(`The file ${name} cannot be read: ${reason}`, error);
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    (file) => file.isFile(),
    () => false,
  );
const numberOf = (value: unknown): number | undefined =>
  typeof value === 'number' ? value : undefined;
/** A text, or a token in the form `{ "content": … }`. */
function textOf(value: unknown): string | undefined {
  const content = asObject(value)?.['content'] ?? value;
  return typeof content === 'string' ? content : undefined;
}

/** Files of local language models, and the schemas that callers ask them to keep. */
import { SkeinError } from '@skein/api';
import type { GenerateRequest } from '../../../packages/generative/src/contract.ts';
import { byteTokenizer } from '../../../packages/generative/src/local/build/byte-tokenizer.ts';
import { PLAIN_TEMPLATE } from '../../../packages/generative/src/local/build/example.ts';
import {
  randomLlama,
  SHAPE_260K,
} from '../../../packages/generative/src/local/build/random-llama.ts';
import { isShort, parseGguf } from '../../../packages/generative/src/local/gguf/header.ts';
import { bytePieces, llamaGguf } from '../../../packages/generative/src/local/gguf/writer.ts';
import { grammarOfSchema } from '../../../packages/generative/src/local/grammar/json-schema.ts';
import { FORMATS } from '../../../packages/generative/src/local/grammar/formats.ts';
import { FORMAT_READERS } from '../../../packages/generative/src/local/grammar/testing/format-readers.ts';
import { maskOf, TokenTrie } from '../../../packages/generative/src/local/grammar/token-mask.ts';
import { readChatTemplate } from '../../../packages/generative/src/local/model/chat-template.ts';
import { readVocabulary } from '../../../packages/generative/src/local/model/vocabulary.ts';
import { readJson } from '../../../packages/api/src/foreign-json.ts';
import { schemaAt } from '../../../packages/server/src/gateway/language/schema.ts';
import { bytesInput } from '../engine/bytes.ts';
import { jsonInput } from '../engine/json.ts';
import { Random } from '../engine/random.ts';
import type { Target } from '../engine/target.ts';

const isCoded = (error: unknown): boolean => error instanceof SkeinError;
const jsonOf = (input: Uint8Array): unknown => JSON.parse(Buffer.from(input).toString());
const seed = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

/** The header of a GGUF file: metadata and the places of tensors. */
export function openGguf(): Target {
  const shape = { ...SHAPE_260K, vocabulary: 259, layers: 1, hidden: 32, intermediate: 32 };
  const options = { weights: 'float32', chatTemplate: PLAIN_TEMPLATE } as const;
  const [header] = llamaGguf(shape, randomLlama(shape, 1), bytePieces(shape.vocabulary), options);
  return {
    seeds: [header!],
    structure: bytesInput(['GGUF', '\x09\0\0\0', '\x08\0\0\0', '\xff\xff\xff\xff\xff\xff\0\0']),
    refuses: (error) => isCoded(error) || isShort(error),
    run(input) {
      const { metadata, tensors } = parseGguf(input);
      if (metadata.size + tensors.length > input.length) throw new Error('more than was there');
    },
  };
}

/** `{file, config, text}`: tokenizer.json, its configuration, and what a caller wrote. */
export function openTokenizers(): Target {
  const { file } = byteTokenizer(['hello', ' world']);
  const pieces = {
    ...file,
    pre_tokenizer: null,
    decoder: null,
    model: {
      type: 'Unigram',
      unk_id: 0,
      vocab: [
        ['<unk>', 0],
        ['▁a', -1],
        ['b', -2],
      ],
    },
  };
  return {
    seeds: [file, pieces].map((each) => seed({ file: each, config: {}, text: 'a b, häuser' })),
    structure: jsonInput(['BPE', 'Unigram', 'ByteLevel', '<0x0A>', 2 ** 31, 'a b']),
    refuses: (error) => isCoded(error) || error instanceof SyntaxError,
    run(input) {
      const { file: given, config, text } = Object(jsonOf(input)) as Record<string, unknown>;
      const vocabulary = readVocabulary(given, Object(config ?? {}));
      if (typeof text === 'string')
        vocabulary.encode(text, true).forEach((id) => vocabulary.bytes(id));
    },
  };
}

const TEMPLATES = [
  PLAIN_TEMPLATE,
  "{% for m in messages %}{% if m.role == 'system' %}<<{{ m.content | trim }}>>{% elif m.tool_calls %}{{ m.tool_calls | tojson }}{% else %}{{ raise_exception('roles') if m.role == 'tool' else m['content'] }}{% endif %}{% endfor %}{% if tools %}{{ tools | tojson(indent=2) }}{% endif %}{% if add_generation_prompt %}>{% endif %}",
  '{%- set ns = namespace(n=0) -%}{%- for message in messages[::-1] -%}{%- set ns.n = ns.n + message.content | length -%}{%- endfor -%}{{ bos_token + ns.n | string }}',
] as const;

/** `{template, messages, tools}`: the template of a model, and what a caller wrote. */
export function openChatTemplates(): Target {
  const text = (value: string) => [{ type: 'text', text: value }];
  const messages = [
    { role: 'system', content: text('Be short.') },
    { role: 'user', content: text('{{ 1 }}'), name: 'a' },
    { role: 'assistant', content: [], toolCalls: [{ id: 'c', name: 'f', arguments: '{"a":1}' }] },
    { role: 'tool', content: text('3'), toolCallId: 'c' },
  ];
  const tools = [{ name: 'f', description: 'd', parameters: { type: 'object' } }];
  return {
    seeds: TEMPLATES.map((template) => seed({ template, messages, tools })),
    structure: jsonInput([...TEMPLATES, '{%', '%}', '{{', '{% endfor %}', 'text', 'tool']),
    refuses: (error) => isCoded(error) || error instanceof SyntaxError || isNoRequest(error),
    run(input) {
      const { template, ...request } = Object(jsonOf(input)) as Record<string, unknown>;
      if (typeof template !== 'string') return;
      const opened = readChatTemplate(template, { bos_token: '<s>' });
      assertRequest(request);
      opened.render(request as unknown as GenerateRequest);
    },
  };
}

class NoRequest extends Error {}
const isNoRequest = (error: unknown): boolean => error instanceof NoRequest;

/** Repeats the checks that the faces make before a template is rendered. */
function assertRequest({ messages, tools }: Readonly<Record<string, unknown>>): void {
  const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  const isList = (value: unknown, of: (each: Readonly<Record<string, unknown>>) => boolean) =>
    Array.isArray(value) && value.every((each) => isObject(each) && of(each));
  const isText = (value: unknown) => typeof value === 'string';
  const areWhole =
    isList(
      messages,
      ({ role, content, toolCalls = [] }) =>
        isText(role) &&
        isList(content, ({ type, text }) => isText(type) && (type !== 'text' || isText(text))) &&
        isList(toolCalls, (call) => isText(call['name']) && isText(call['arguments'])),
    ) &&
    (tools === undefined || isList(tools, ({ name }) => isText(name)));
  if (!areWhole) throw new NoRequest();
}

/** Tokens that an answer is followed for. */
const MOST_TOKENS = 64;

/** Whether the strings of a value have their formats, as naive readers read them; where the schema has no choice. */
function checkFormats(given: unknown, value: unknown): void {
  const { type, format, items, properties, ...more } = Object(given) as Record<string, unknown>;
  if ('$ref' in more || 'const' in more || 'enum' in more || 'anyOf' in more || 'oneOf' in more)
    return;
  if (typeof value === 'string' && (Array.isArray(type) ? type : [type]).includes('string')) {
    const reads = FORMAT_READERS[String(format)];
    if (format !== undefined && reads?.(value) !== true)
      throw new Error(`${JSON.stringify(value)} is no ${JSON.stringify(format)}`);
  } else if (Array.isArray(value)) {
    for (const each of value) checkFormats(items, each);
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, each] of Object.entries(value)) {
      if (Object.hasOwn(Object(properties), name))
        checkFormats((properties as Record<string, unknown>)[name], each);
    }
  }
}

/** A JSON Schema, as a face takes it, to the text of an answer that keeps it. */
export function openAnswerSchemas(): Target {
  const { file, eos } = byteTokenizer(['{"', '":', ', "', 'true', '\\u00']);
  const vocabulary = readVocabulary(file, {});
  const trie = new TokenTrie(vocabulary, vocabulary.size);
  const item = { type: 'string', maxLength: 3 };
  const seeds = [
    {
      type: 'object',
      properties: { a: { type: 'integer' }, b: { enum: ['x', null, 1] } },
      required: ['a'],
      additionalProperties: false,
    },
    {
      type: 'array',
      items: { $ref: '#/$defs/tree' },
      $defs: {
        tree: { anyOf: [item, { type: 'array', items: { $ref: '#/$defs/tree' }, maxItems: 2 }] },
      },
    },
    {
      anyOf: [
        { const: { a: [] } },
        { type: ['number', 'null'] },
        { type: 'object', additionalProperties: item },
      ],
    },
    {
      $ref: '#/$defs/a',
      $defs: {
        a: { anyOf: [{ $ref: '#/$defs/b' }, { $ref: '#/$defs/b' }] },
        b: { anyOf: [item, { type: 'boolean' }] },
      },
    },
    ...FORMATS.map((format) => ({ type: 'string', format })),
    {
      type: 'array',
      items: { type: ['string', 'null'], format: 'date' },
      minItems: 1,
      maxItems: 3,
    },
    { type: 'object', properties: { a: { type: 'integer', format: 'int32' } }, required: ['a'] },
  ];
  // Choices that double without a byte between them, and texts that many alternatives begin alike.
  const doubling = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => {
      const next = { $ref: `#/$defs/d${i + 1}` };
      return [`d${i}`, i < 39 ? { anyOf: [next, next] } : item];
    }),
  );
  const alike = Array.from({ length: 2000 }, (_, i) => ({ type: 'string', maxLength: i }));
  const costly = [{ $ref: '#/$defs/d0', $defs: doubling }, { anyOf: alike }];
  const random = new Random();
  return {
    seeds: [...seeds, ...costly].map(seed),
    structure: jsonInput([
      '#/$defs/a',
      '#',
      '#/$defs/a%zz',
      'string',
      'integer',
      'array',
      'object',
      10_000,
      ...FORMATS,
      'int32',
      'float',
    ]),
    refuses: (error) => isCoded(error) || error instanceof SyntaxError,
    run(input) {
      const schema = schemaAt(readJson(input), 'schema');
      const mask = maskOf(grammarOfSchema(schema), trie, new Set([eos]));
      random.reset(1, input.length);
      const bytes: number[] = [];
      for (let count = 0; count < MOST_TOKENS; count++) {
        const allowed = mask.allowed();
        const tokens = [...allowed.keys()].filter((token) => allowed[token] === 1);
        const token = tokens[random.below(tokens.length)];
        if (token === undefined) throw new Error('no token may follow');
        if (token === eos) {
          const text = Buffer.from(bytes).toString();
          if (text !== '') checkFormats(schema, JSON.parse(text));
          return;
        }
        bytes.push(...vocabulary.bytes(token));
        mask.accept(token);
      }
    },
  };
}

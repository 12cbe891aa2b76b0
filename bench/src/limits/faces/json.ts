/**
 * Bodies of JSON at the limit of each face, made from a grammar with a seed.
 *
 * A body is a valid request in which one place is amplified: many items, a long text, references,
 * keys, nesting, or signatures. So it passes the checks before that place, where a search or a
 * recursion over it would cost more than its bytes.
 */
import { ASSISTANT } from '../costly-bodies.ts';
import type { Face } from '../face.ts';
import { post } from '../http-request.ts';
import {
  anything,
  type Json,
  LANGUAGE_BYTES,
  MANAGEMENT_BYTES,
  pick,
  type Random,
  repeat,
  size,
  text,
  VALUES,
} from './grammar.ts';

interface Made {
  readonly path: string;
  /** The place that was amplified. */
  readonly what: string;
  readonly value: Json;
}

/** Schemas of at most 64 KiB: chains, fans and nests of references. */
function schema(random: Random): Json {
  const links = size(random, 16);
  const step = pick(random, ['a', '%', '%ff', '~1', 'ü']);
  const name = (index: number): string => `${step.repeat(size(random, 40))}${index}`;
  const names = repeat(links, name);
  const pointer = (index: number): string =>
    `#/$defs/${names[index]!.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  const $defs = Object.fromEntries(
    names.map((each, index) => [each, index === links - 1 ? {} : { $ref: pointer(index + 1) }]),
  );
  const users = size(random, 2000);
  const form = pick(random, ['anyOf', 'oneOf', 'allOf', 'properties', 'enum', 'items']);
  const fan = repeat(users, () => ({ $ref: pointer(0) }));
  const given =
    form === 'properties' ? Object.fromEntries(fan.map((each, i) => [`p${i}`, each])) : fan;
  const made = { type: 'object', [form]: given, $defs };
  return JSON.stringify(made).length > 65_000 ? { $defs, anyOf: fan.slice(0, 1000) } : made;
}

const tools = (random: Random, wrap: (name: string, parameters: Json) => Json): Json[] =>
  repeat(size(random, 128), (index) => wrap(`f${index}`, schema(random)));
const forged = (random: Random, bytes: number): string =>
  `skein:${Buffer.from(JSON.stringify(anything(random, bytes * 0.7))).toString('base64url')}`;

function messages(random: Random): Json[] {
  const count = size(random, 4096);
  const each = LANGUAGE_BYTES / 2 / count;
  const id = pick(random, ['same', '']);
  return repeat(count, (index) => {
    switch (Math.floor(random() * 3)) {
      case 0:
        return { role: 'user', content: text(random, each) };
      case 1:
        return {
          role: 'assistant',
          tool_calls: repeat(size(random, 100), (nth) => ({
            id: `${id || index}_${nth}`,
            type: 'function',
            function: { name: 'f', arguments: '{}' },
          })).slice(0, Math.max(1, Math.floor(VALUES / 6 / count))),
        };
      default:
        return { role: 'tool', tool_call_id: id || `${index}`, content: text(random, each) };
    }
  });
}

const BODIES: Readonly<Record<string, (random: Random) => Made>> = {
  inference(random) {
    const what = pick(random, ['inputs', 'parameters', 'shape', 'data']);
    const big = anything(random, LANGUAGE_BYTES);
    const input = { name: 'x', datatype: 'FP32', shape: [1], data: [1] };
    const value = {
      inputs: { inputs: repeat(size(random, 5000), () => input) },
      parameters: { parameters: big, inputs: [input] },
      shape: { inputs: [{ ...input, shape: repeat(size(random, VALUES), () => 1) }] },
      data: { inputs: [{ ...input, shape: [size(random, 1_000_000)], data: big }] },
    }[what];
    return { path: '/v2/models/floats/infer', what, value };
  },
  chat(random) {
    const what = pick(random, ['messages', 'tools', 'format', 'unknown', 'content']);
    const base = {
      model: pick(random, [ASSISTANT, ASSISTANT, 'x']),
      messages: [{ role: 'user', content: 'a' }],
    };
    const value = {
      messages: () => ({ ...base, messages: messages(random) }),
      tools: () => ({
        ...base,
        tools: tools(random, (name, parameters) => ({
          type: 'function',
          function: { name, parameters },
        })),
      }),
      format: () => ({
        ...base,
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'a', schema: schema(random) },
        },
      }),
      unknown: () => ({ ...base, unknown: anything(random, LANGUAGE_BYTES) }),
      content: () => ({
        ...base,
        messages: [
          {
            role: 'user',
            content: repeat(1000, () => ({ type: 'text', text: text(random, 8000) })),
          },
        ],
      }),
    }[what]!();
    return { path: '/v1/chat/completions', what, value };
  },
  completions(random) {
    const what = pick(random, ['prompt', 'stop', 'unknown']);
    const base = { model: ASSISTANT, prompt: 'a' };
    const value = {
      prompt: { ...base, prompt: text(random, LANGUAGE_BYTES) },
      stop: { ...base, stop: anything(random, LANGUAGE_BYTES) },
      unknown: { ...base, unknown: anything(random, LANGUAGE_BYTES) },
    }[what];
    return { path: '/v1/completions', what, value };
  },
  responses(random) {
    const what = pick(random, ['reasoning', 'calls', 'references', 'tools', 'text']);
    const count = size(random, 4000);
    const each = Math.floor(LANGUAGE_BYTES / 1.5 / count);
    const base = { model: pick(random, [ASSISTANT, 'x']) };
    const value = {
      reasoning: () => ({
        ...base,
        input: repeat(count, () => ({
          type: 'reasoning',
          summary: [],
          encrypted_content: forged(random, each),
        })),
      }),
      calls: () => ({
        ...base,
        input: repeat(count, (index) => ({
          type: 'function_call',
          call_id: `${index % 7}`,
          name: 'f',
          arguments: text(random, each),
        })),
      }),
      references: () => ({
        ...base,
        input: repeat(count, () => ({ type: 'item_reference', id: `rs_${'0'.repeat(32)}` })),
      }),
      tools: () => ({
        ...base,
        input: 'a',
        tools: tools(random, (name, parameters) => ({ type: 'function', name, parameters })),
      }),
      text: () => ({ ...base, input: text(random, LANGUAGE_BYTES) }),
    }[what]!();
    return { path: '/v1/responses', what, value };
  },
  embeddings(random) {
    const count = size(random, 2048);
    const input = repeat(count, () => text(random, LANGUAGE_BYTES / count));
    return { path: '/v1/embeddings', what: 'input', value: { model: ASSISTANT, input } };
  },
  gemini(random) {
    const what = pick(random, ['responses', 'parts', 'tools', 'schema', 'embeddings']);
    const count = size(random, 4000);
    const call = (index: number) => ({ functionCall: { name: `f${index % 3}`, args: {} } });
    const answer = (index: number) => ({
      functionResponse: { name: pick(random, ['f0', 'f1', 'g']), id: `${index}`, response: {} },
    });
    const path = `/v1beta/models/${ASSISTANT}:generateContent`;
    const contents = [{ parts: [{ text: 'a' }] }];
    const value = {
      responses: () => ({
        contents: [
          ...repeat(Math.ceil(count / 1000), () => ({ role: 'model', parts: repeat(1000, call) })),
          ...repeat(Math.ceil(count / 1000), () => ({
            role: 'function',
            parts: repeat(1000, answer),
          })),
        ],
      }),
      parts: () => ({
        contents: [{ parts: repeat(1000, () => ({ text: text(random, 12_000) })) }],
      }),
      tools: () => ({
        contents,
        tools: [
          {
            functionDeclarations: tools(random, (name, parametersJsonSchema) => ({
              name,
              parametersJsonSchema,
            })),
          },
        ],
      }),
      schema: () => ({ contents, generationConfig: { responseJsonSchema: schema(random) } }),
      embeddings: () => ({
        requests: repeat(size(random, 2048), () => ({
          content: { parts: [{ text: text(random, 4000) }] },
          title: text(random, 2000),
        })),
      }),
    }[what]!();
    return {
      path: what === 'embeddings' ? path.replace('generateContent', 'batchEmbedContents') : path,
      what,
      value,
    };
  },
  management(random) {
    const what = pick(random, ['jobs', 'keys', 'runs']);
    const big = anything(random, MANAGEMENT_BYTES);
    const job = { name: 'a', work: { kind: 'command', argv: big } };
    const value = {
      jobs: {
        jobs: pick(random, [
          big,
          [job],
          repeat(900, () => ({ name: 'a', work: { kind: 'command', argv: ['x'] }, parents: [] })),
        ]),
      },
      keys: { label: 'a', scopes: big },
      runs: { run: big },
    }[what];
    const path = { jobs: '/api/v1/jobs', keys: '/api/v1/keys', runs: '/api/v1/runs' }[what]!;
    return { path, what, value };
  },
};

export const jsonFaces: readonly Face[] = Object.entries(BODIES).map(([name, make]) => ({
  name,
  hasTenant: true,
  make(random) {
    const { path, what, value } = make(random);
    return post(what, path, Buffer.from(JSON.stringify(value)));
  },
}));

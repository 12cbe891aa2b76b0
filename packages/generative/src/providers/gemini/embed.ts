/**
 * Embeddings in the three forms of Google's models: the Gemini API takes all texts in one request; on Vertex AI
 * the text embedding models take a list of instances (`:predict`), `gemini-embedding-001` a list of one,
 * and later Gemini models one content (`:embedContent`).
 */
import type { Embeddings, EmbedRequest } from '../../contract.ts';
import { googleFields } from '../../wire/google-fields.ts';
import { asTokens, asObject, asObjects, type Json } from '../../wire/json.ts';
import { upstreamError } from '../../wire/upstream-error.ts';

interface Form {
  /** Method after the model's path. */
  readonly method: 'batchEmbedContents' | 'predict' | 'embedContent';
  /** Texts in one request. */
  readonly most: number;
  body(texts: readonly string[], model: string, options: Json): Json;
  /** Reads the answer's embedding of each text. */
  read(answer: Json): readonly Embedded[];
}

interface Embedded {
  readonly values: unknown;
  /** Absent where the answer does not report it. */
  readonly tokens?: number | undefined;
}

const contentOf = (text: string): Json => ({ parts: [{ text }] });

const BATCH: Form = {
  method: 'batchEmbedContents',
  most: Infinity,
  body: (texts, model, options) => ({
    requests: texts.map((text) => ({
      ...options,
      model: `models/${model}`,
      content: contentOf(text),
    })),
  }),
  read: ({ embeddings }) => asObjects(embeddings).map(({ values }) => ({ values })),
};

const PREDICT: Form = {
  method: 'predict',
  most: 250,
  body(texts, _, { taskType, title, ...parameters }) {
    const of = {
      ...(taskType !== undefined && { task_type: taskType }),
      ...(title !== undefined && { title }),
    };
    return { instances: texts.map((content) => ({ ...of, content })), parameters };
  },
  read: ({ predictions }) =>
    asObjects(predictions).map(({ embeddings }) => {
      const { values, statistics } = asObject(embeddings) ?? {};
      return { values, tokens: asTokens(asObject(statistics)?.['token_count']) };
    }),
};

const EMBED: Form = {
  method: 'embedContent',
  most: 1,
  body: ([text], _, embedContentConfig) => ({ content: contentOf(text!), embedContentConfig }),
  read: ({ embedding, usageMetadata }) => [
    {
      values: asObject(embedding)?.['values'],
      tokens: asTokens(asObject(usageMetadata)?.['promptTokenCount']),
    },
  ],
};

function formOf(model: string, onVertex: boolean): Form {
  if (!onVertex) return BATCH;
  if (model === 'gemini-embedding-001') return { ...PREDICT, most: 1 };
  return /gemini|maas/.test(model) ? EMBED : PREDICT;
}

/** Requests to one model at a time, where it takes few texts in each. */
const AT_ONCE = 8;

/**
 * @param post sends a request, and resolves with its answer.
 * @throws SkeinError as `post`, PROVIDER_CUT when vectors are missing.
 */
export async function embed(
  provider: string,
  { model, inputs, dimensions, extra }: EmbedRequest,
  onVertex: boolean,
  post: (method: string, body: Json) => Promise<Json>,
): Promise<Embeddings> {
  const form = formOf(model, onVertex);
  const options = {
    ...googleFields(extra),
    ...(dimensions === undefined ? {} : { outputDimensionality: dimensions }),
  };
  const size = Math.min(form.most, Math.max(1, inputs.length));
  const parts = Array.from({ length: Math.ceil(inputs.length / size) }, (_, part) =>
    inputs.slice(part * size, (part + 1) * size),
  );
  const embedded: Embedded[] = [];
  for (let at = 0; at < parts.length; at += AT_ONCE) {
    const answers = await Promise.all(
      parts.slice(at, at + AT_ONCE).map(async (texts) => {
        const found = form.read(await post(form.method, form.body(texts, model, options)));
        const areWhole =
          found.length === texts.length &&
          found.every(({ values }) => Array.isArray(values) && values.length > 0);
        if (areWhole) return found;
        const message = 'it sent fewer vectors than inputs.';
        throw upstreamError('PROVIDER_CUT', { provider, message });
      }),
    );
    embedded.push(...answers.flat());
  }
  return {
    vectors: embedded.map(({ values }) => Float32Array.from(values as number[])),
    usage: {
      inputTokens: embedded.reduce((sum, { tokens = 0 }) => sum + tokens, 0),
      outputTokens: 0,
      isEstimate: embedded.some(({ tokens }) => tokens === undefined),
    },
  };
}

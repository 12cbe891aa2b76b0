/** The request of the playground, and the code that sends it. */
export interface Typed {
  readonly model: string;
  readonly system: string;
  readonly message: string;
  /** JSON; empty: none. */
  readonly tools: string;
}

/** @throws Error when the tools are no JSON. */
export function chatRequest({ model, system, message, tools }: Typed): object {
  return {
    model,
    messages: [
      ...(system === '' ? [] : [{ role: 'system', content: system }]),
      { role: 'user', content: message },
    ],
    ...(tools.trim() === '' ? {} : { tools: toolsOf(tools) }),
    stream: true,
    stream_options: { include_usage: true },
  };
}

function toolsOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`The tools are not JSON: ${(error as Error).message}.`, { cause: error });
  }
}

/** For a POSIX shell: a quote ends the string, is written alone, and begins it again. */
export function curlOf(origin: string, request: object): string {
  const body = JSON.stringify(request).replaceAll("'", `'\\''`);
  return `curl -N ${origin}/v1/chat/completions \\\n  -H "Authorization: Bearer $SKEIN_KEY" \\\n  -H 'Content-Type: application/json' \\\n  -d '${body}'`;
}

export function typeScriptOf(origin: string, request: object): string {
  return `import OpenAI from 'openai';

const client = new OpenAI({
  baseURL: '${origin}/v1',
  apiKey: process.env.SKEIN_KEY ?? 'none',
});
const stream = await client.chat.completions.create(${JSON.stringify(request, null, 2)});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? '');`;
}

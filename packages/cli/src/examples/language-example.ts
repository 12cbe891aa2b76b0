/**
 * The language model that `skein up --example ocr` serves along with the pictures, once the node is ready:
 * a tiny one whose weights are computed, so that nothing is downloaded and the start waits for nothing.
 */
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolders } from '@skein/api/folders';
import { SkeinError } from '@skein/api/errors';
import type { Context } from '../command-line/command.ts';
import type { Connection } from '../connection/connection.ts';
import { credentialFor } from './example.ts';
import { renderLanguageExample, type LanguageExample } from '../output/up.ts';

const NAME = 'example';
/** In the data folder. */
const FOLDER = join('examples', 'language-model');

/** Adds to the screen of a node that is ready what its example language model streams. */
export async function showLanguageExample(
  context: Context,
  connecting: Promise<Connection | undefined>,
  dataFolder: string,
): Promise<void> {
  try {
    const connection = await connecting;
    if (connection === undefined) return;
    const ran = await runLanguageExample(connection, dataFolder, context.signal);
    context.print(`${renderLanguageExample(ran, context.style)}\n`);
  } catch (error) {
    if (context.signal.aborted) return;
    const message = error instanceof Error ? error.message : String(error);
    context.notes.line(`The example language model is not served: ${message}`);
  }
}

/**
 * Writes the model into the node's data folder and declares it, where that has not been done, and asks it;
 * what an operator has declared under the name is kept.
 *
 * @throws SkeinError as the node does.
 */
async function runLanguageExample(
  { client, url, key, fetch }: Connection,
  dataFolder: string,
  signal: AbortSignal,
): Promise<LanguageExample> {
  const path = join(dataFolder, FOLDER);
  if (!existsSync(path)) await writeOnce(path);
  const { settings } = await client.getLanguageModels({}, { signal });
  const known = settings.providers.find(({ name }) => name === NAME);
  const wasMoved = known?.path !== path && known?.path?.endsWith(FOLDER) === true;
  if (known === undefined || wasMoved) {
    await client.putProvider({ name: NAME, kind: 'onnx', path }, { signal });
  }
  if (!settings.models.some(({ name }) => name === NAME)) {
    const routes = [{ provider: NAME, model: NAME }];
    await client.putLanguageModel({ name: NAME, routes }, { signal });
  }
  const body = JSON.stringify({
    model: NAME,
    stream: true,
    messages: [{ role: 'user', content: 'Hi' }],
  });
  const startedAt = performance.now();
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      // The first request to a cold or busy machine.
      'skein-timeout-ms': '30000',
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    },
    body,
    signal,
  });
  if (!response.ok || response.body === null) throw refusalOf(await response.text());
  let received = '';
  let firstTokenMs = Number.NaN;
  const decoder = new TextDecoder();
  for await (const chunk of response.body) {
    received += decoder.decode(chunk, { stream: true });
    if (Number.isNaN(firstTokenMs) && textOf(received) !== '') {
      firstTokenMs = performance.now() - startedAt;
    }
  }
  return {
    curl: `curl -N ${url}/v1/chat/completions${credentialFor(key)} -d '${body}'`,
    answer: textOf(received),
    firstTokenMs,
  };
}

/** A folder is whole or absent, also after a crash. */
async function writeOnce(path: string): Promise<void> {
  const { writeExampleModel } = await import('@skein/generative/model-files');
  const unfinished = `${path}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await makeFolders(dirname(path));
  await writeExampleModel(unfinished);
  await rename(unfinished, path);
}

/** The text of the whole events of a stream in OpenAI's form. */
function textOf(stream: string): string {
  const events = stream.split('\n\n').slice(0, -1);
  return events
    .filter((event) => event.startsWith('data: {'))
    .map((event) => {
      const { choices, error } = JSON.parse(event.slice('data: '.length)) as {
        readonly choices?: readonly { readonly delta: { readonly content?: string | null } }[];
        readonly error?: unknown;
      };
      if (error !== undefined) throw refusalOf(JSON.stringify({ error }));
      return choices?.[0]?.delta.content ?? '';
    })
    .join('');
}

function refusalOf(body: string): SkeinError {
  return new SkeinError(
    'PROVIDER_FAILED',
    `The example language model answers: ${body.slice(0, 500)}`,
  );
}

/** One call of an operation with the reader's values, as a request and as the code of three clients. */
import type { Operation, Parameter } from './operation.ts';

export interface Call {
  readonly operation: Operation;
  /** Address of the node, such as `http://127.0.0.1:4700`. */
  readonly base: string;
  /** Whether the call has a key; code takes it from the environment. */
  readonly hasKey: boolean;
  /** By the name of the parameter. */
  readonly values: Readonly<Record<string, string>>;
  /** Text of the JSON body, or the name of the file that is the body. */
  readonly body: { readonly json: string } | { readonly file: string } | undefined;
}

export function urlOf({ operation, base, values }: Call): string {
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    (values[name] ?? '').split('/').map(encodeURIComponent).join('/'),
  );
  const query = new URLSearchParams(given(operation, 'query', values)).toString();
  return base.replace(/\/+$/, '') + path + (query === '' ? '' : `?${query}`);
}

/** Request headers, without the key. */
export function headersOf({ operation, values, body }: Call): Record<string, string> {
  const isJson = body !== undefined && 'json' in body;
  return {
    ...(isJson ? { 'Content-Type': 'application/json' } : {}),
    ...(operation.answer === 'text' ? { Accept: 'application/json' } : {}),
    ...Object.fromEntries(given(operation, 'header', values)),
  };
}

/** Parameters of one place that have a value. */
function given(
  { parameters }: Operation,
  place: Parameter['in'],
  values: Call['values'],
): [string, string][] {
  return parameters
    .filter(({ name, in: at }) => at === place && (values[name] ?? '') !== '')
    .map(({ name }) => [name, values[name]!]);
}

export const CLIENTS = ['curl', 'Python', 'TypeScript'] as const;

/** The call as a reader runs it; the key is in `SKEIN_KEY`. */
export const CODE: Readonly<Record<(typeof CLIENTS)[number], (call: Call) => string>> = {
  curl: curlOf,
  Python: pythonOf,
  TypeScript: typeScriptOf,
};

function curlOf(call: Call): string {
  const { operation, hasKey, body } = call;
  const { method, answer } = operation;
  const isDefault = method === (body === undefined ? 'GET' : 'POST');
  const headers = Object.entries(headersOf(call)).map(
    ([name, value]) => `-H ${shell(`${name}: ${value}`)}`,
  );
  return [
    `curl ${answer === 'stream' ? '-sN' : '-s'}${isDefault ? '' : ` -X ${method}`} ${shell(urlOf(call))}`,
    ...headers,
    ...(hasKey ? ['-H "Authorization: Bearer $SKEIN_KEY"'] : []),
    ...(body === undefined
      ? []
      : ['json' in body ? `-d ${shell(body.json)}` : `--data-binary ${shell(`@${body.file}`)}`]),
    ...(answer === 'bytes' ? ['-o answer.bin'] : []),
  ].join(' \\\n  ');
}

function pythonOf(call: Call): string {
  const { operation, hasKey, body } = call;
  const json = jsonOf(call);
  const headers = Object.entries(headersOf(call))
    // `json=` sets it.
    .filter(([name]) => name !== 'Content-Type' || json === undefined)
    .map(([name, value]) => `${text(name)}: ${text(value)}`);
  if (hasKey) headers.push('"Authorization": "Bearer " + os.environ["SKEIN_KEY"]');
  const parts = [
    text(urlOf(call)),
    ...(headers.length === 0 ? [] : [`headers={${headers.join(', ')}}`]),
    ...(body === undefined
      ? []
      : json !== undefined
        ? [`json=${indented(json.replaceAll(WORDS, inPython), '    ')}`]
        : [`data=${'json' in body ? text(body.json) : `open(${text(body.file)}, "rb")`}`]),
    ...(operation.answer === 'stream' ? ['stream=True'] : []),
  ];
  return [
    ...(hasKey ? ['import os'] : []),
    'import requests',
    '',
    `answer = requests.${operation.method.toLowerCase()}(`,
    ...parts.map((part) => `    ${part},`),
    ')',
    PYTHON_ANSWERS[operation.answer],
  ].join('\n');
}

/** Strings, and the words of JSON that Python writes otherwise. */
const WORDS = /"(?:[^"\\]|\\.)*"|true|false|null/g;

function inPython(token: string): string {
  return { true: 'True', false: 'False', null: 'None' }[token] ?? token;
}

const PYTHON_ANSWERS: Readonly<Record<Operation['answer'], string>> = {
  text: 'print(answer.status_code, answer.text)',
  stream: 'for line in answer.iter_lines():\n    print(line.decode())',
  bytes: 'open("answer.bin", "wb").write(answer.content)',
};

function typeScriptOf(call: Call): string {
  const { operation, hasKey, body } = call;
  const json = jsonOf(call);
  const headers = Object.entries(headersOf(call)).map(
    ([name, value]) => `${text(name)}: ${text(value)}`,
  );
  if (hasKey) headers.push('Authorization: `Bearer ${process.env.SKEIN_KEY}`');
  const parts = [
    ...(operation.method === 'GET' ? [] : [`method: ${text(operation.method)}`]),
    ...(headers.length === 0 ? [] : [`headers: { ${headers.join(', ')} }`]),
    ...(body === undefined
      ? []
      : json !== undefined
        ? [`body: JSON.stringify(${indented(json, '  ')})`]
        : [`body: ${'json' in body ? text(body.json) : `await readFile(${text(body.file)})`}`]),
  ];
  const usesFile = body !== undefined && 'file' in body;
  const imports = [
    ...(usesFile ? ['readFile'] : []),
    ...(operation.answer === 'bytes' ? ['writeFile'] : []),
  ];
  return [
    ...(imports.length === 0
      ? []
      : [`import { ${imports.join(', ')} } from 'node:fs/promises';`, '']),
    ...(parts.length === 0
      ? [`const answer = await fetch(${text(urlOf(call))});`]
      : [
          `const answer = await fetch(${text(urlOf(call))}, {`,
          ...parts.map((part) => `  ${part},`),
          '});',
        ]),
    TYPESCRIPT_ANSWERS[operation.answer],
  ].join('\n');
}

const TYPESCRIPT_ANSWERS: Readonly<Record<Operation['answer'], string>> = {
  text: 'console.log(answer.status, await answer.text());',
  stream:
    'const lines = answer.body!.pipeThrough(new TextDecoderStream());\nfor await (const line of lines) console.log(line);',
  bytes: "await writeFile('answer.bin', answer.body!);",
};

/** The body, where it is valid JSON: then it is a literal of Python, but for three words, and of TypeScript. */
function jsonOf({ body }: Call): string | undefined {
  if (body === undefined || !('json' in body)) return undefined;
  try {
    JSON.parse(body.json);
    return body.json;
  } catch {
    return undefined;
  }
}

function indented(lines: string, by: string): string {
  return lines.replaceAll('\n', `\n${by}`);
}

/** One word of a POSIX shell. */
function shell(word: string): string {
  return /^[\w./:@=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A string literal of Python and TypeScript. */
function text(value: string): string {
  return JSON.stringify(value);
}

/** The reference pages under `docs/reference`, as Markdown. */
import {
  createDocumentation,
  ERROR_DOCS,
  type ErrorDoc,
  type OperationDoc,
} from './documentation.ts';
import type { Field } from '../resources/fields.ts';

const NOTE = '<!-- Written by packages/api/scripts/write-reference.ts; do not edit. -->';

const KINDS: Readonly<Record<ErrorDoc['kind'], string>> = {
  user: 'The request has to change. Sending it again gives the same answer.',
  load: 'The same request may succeed later. The wait is in `Retry-After` (HTTP, in seconds) and in `retryAfterMs` of the body. Over gRPC it is in the trailer `retry-after-ms` and in `google.rpc.RetryInfo` in `grpc-status-details-bin`. All are absent where waiting does not help.',
  fault:
    'A fault of the node. The client sees no internals; the log has them under the request id.',
};

/** `docs/reference/errors.md`. */
export function renderErrorsReference(): string {
  const sections = (['user', 'load', 'fault'] as const).map((kind) => {
    const rows = ERROR_DOCS.filter((row) => row.kind === kind);
    return `## ${kind}\n\n${KINDS[kind]}\n\n${rows.map(errorSection).join('\n')}`;
  });
  return `${NOTE}

# Errors

Every refusal and failure has a code. HTTP sends it in the body, gRPC in the trailer \`skein-code\`.
The CLI prints it before the message; \`--json\` prints the same body as HTTP:

\`\`\`json
{
  "error": "No deployment is called \\"rsik\\".",
  "code": "MODEL_UNKNOWN",
  "fix": "\`skein ls\` lists the deployments, \`skein model ls\` the language models."
}
\`\`\`

${sections.join('\n')}`;
}

function errorSection({ code, http, grpc, meaning, fix }: ErrorDoc): string {
  return `### ${code}\n\nHTTP ${http}, gRPC ${grpc}. ${meaning}\n\n**Fix:** ${fix}\n`;
}

/** `docs/reference/api.md`. */
export function renderApiReference(): string {
  const documentation = createDocumentation('http://127.0.0.1:4700');
  const groups = documentation.groups.map(
    ({ name, operations }) => `## ${name}\n\n${operations.map(operationSection).join('\n')}`,
  );
  const types = documentation.types.map(({ name, description, variants }) =>
    [`### ${name}`, description, ...variants.map(table)].filter((part) => part !== '').join('\n\n'),
  );
  return `${NOTE}

# HTTP API

The same as the page at \`/docs\` of a running node; \`/openapi.json\` is the OpenAPI 3.1 document. On
loopback a node is open; anywhere else it asks for \`Authorization: Bearer KEY\`, and a key needs the
scope that the call names (\`admin\` includes the others; \`none\`: no key is needed).

Any call may also answer with ${documentation.commonErrors.map(errorLink).join(', ')}.

${groups.join('\n')}
## Types

${types.join('\n\n')}
`;
}

function operationSection(row: OperationDoc): string {
  const parts = [
    `### ${row.method} ${row.path}`,
    row.summary + (row.description === '' ? '' : ` ${row.description}`),
    ...fieldSection('Path', row.pathFields),
    ...fieldSection('Query', row.queryFields),
    ...fieldSection('Body', row.bodyFields),
    [
      `- Operation: \`${row.id}\``,
      `- Scope: \`${row.scope}\``,
      `- Answer: \`${row.answer}\``,
      ...(row.errors.length === 0 ? [] : [`- Errors: ${row.errors.map(errorLink).join(', ')}`]),
    ].join('\n'),
    `\`\`\`sh\n${row.curl}\n\`\`\`\n`,
  ];
  return parts.join('\n\n');
}

function fieldSection(title: string, fields: readonly Field[]): string[] {
  return fields.length === 0 ? [] : [`${title}:`, table(fields)];
}

function table(fields: readonly Field[]): string {
  const rows = fields.map((field) => {
    const name = `\`${field.name}\`${field.required ? '' : ' (optional)'}`;
    const fallback = field.default === undefined ? '' : ` Default: \`${field.default}\`.`;
    return [name, `\`${field.type}\``, (field.description + fallback).trim()];
  });
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(['Field', 'Type', 'Meaning']), '| --- | --- | --- |', ...rows.map(line)].join('\n');
}

function errorLink(code: string): string {
  return `[${code}](errors.md#${code.toLowerCase()})`;
}

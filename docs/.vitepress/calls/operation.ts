/** The operations of an OpenAPI document, reduced to the fields that a form and a request need. */
import type { OpenApiDocument, OperationObject } from '@skein/api';

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly example: string;
}

export interface Operation {
  readonly id: string;
  readonly method: string;
  /** Parameters in braces. */
  readonly path: string;
  readonly parameters: readonly Parameter[];
  /** The example of a JSON body. */
  readonly json?: string;
  /** Whether the body can be a file. */
  readonly file: boolean;
  readonly answer: 'text' | 'stream' | 'bytes';
}

interface Body {
  readonly content: Readonly<Record<string, { readonly example?: unknown }>>;
}

const JSON_TYPE = 'application/json';
/** With the value 0, the whole body of an inference request is one input. */
const WHOLE_BODY = 'Inference-Header-Content-Length';

export function operationsOf(document: OpenApiDocument): ReadonlyMap<string, Operation> {
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => reduced(method, path, operation)),
  );
  return new Map(operations.map((operation) => [operation.id, operation]));
}

function reduced(method: string, path: string, operation: OperationObject): Operation {
  const { content = {} } = (operation.requestBody ?? {}) as Partial<Body>;
  const parameters = (operation.parameters ?? []).filter(({ style }) => style === undefined);
  return {
    id: operation.operationId,
    method: method.toUpperCase(),
    path,
    parameters: parameters.map(({ name, in: place, required = false, example = '' }) => ({
      name,
      in: place,
      required,
      example: name === WHOLE_BODY ? '0' : example,
    })),
    ...(content[JSON_TYPE] === undefined
      ? {}
      : { json: JSON.stringify(content[JSON_TYPE].example ?? {}, null, 2) }),
    file: Object.keys(content).some((type) => type !== JSON_TYPE),
    answer: answerOf(operation),
  };
}

function answerOf({ responses }: OperationObject): Operation['answer'] {
  const [, success] = Object.entries(responses).find(([status]) => status.startsWith('2')) ?? [];
  const types = Object.keys((success as Partial<Body> | undefined)?.content ?? {});
  if (types.includes('text/event-stream')) return 'stream';
  return types.length === 0 || types.includes(JSON_TYPE) ? 'text' : 'bytes';
}

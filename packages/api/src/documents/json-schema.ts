/** Zod schemas as JSON Schema for OpenAPI 3.1, with the named ones collected as components. */
import { z } from 'zod';

/** A JSON Schema (2020-12), as far as our schemas go. */
export interface JsonSchema {
  $ref?: string;
  type?: string | string[];
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  pattern?: string;
  format?: string;
  [keyword: string]: unknown;
}

const COMPONENT = '#/components/schemas/';

export interface SchemaCollector {
  /** @param io whether a client sends it (defaults may be left out) or receives it. */
  schemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonSchema;
  /** Every named schema met so far. */
  readonly components: Readonly<Record<string, JsonSchema>>;
}

/** @throws Error when one name stands for two different schemas. */
export function createSchemaCollector(): SchemaCollector {
  const components: Record<string, JsonSchema> = {};
  return {
    components,
    schemaOf(schema, io) {
      const {
        $schema: _dialect,
        $defs,
        ...json
      } = z.toJSONSchema(schema, {
        io,
        override: ({ zodSchema, jsonSchema }) => simplify(zodSchema, jsonSchema as JsonSchema),
      }) as JsonSchema & { $schema?: string; $defs?: Record<string, JsonSchema> };
      for (const [name, definition] of Object.entries($defs ?? {})) {
        const component = withComponentRefs(definition) as JsonSchema;
        const known = components[name];
        if (known !== undefined && JSON.stringify(known) !== JSON.stringify(component)) {
          throw new Error(`Two different schemas are named "${name}".`);
        }
        components[name] = component;
      }
      return withComponentRefs(json) as JsonSchema;
    },
  };
}

/** The component's name of a reference. */
export function refName(ref: string): string {
  return ref.slice(ref.lastIndexOf('/') + 1);
}

function simplify(zodSchema: z.core.$ZodType, json: JsonSchema): void {
  // The bounds of a safe integer add nothing to "integer".
  if (json.minimum === Number.MIN_SAFE_INTEGER) delete json.minimum;
  if (json.maximum === Number.MAX_SAFE_INTEGER) delete json.maximum;
  delete json['propertyNames'];
  // zod's name for the pattern; a strict validator refuses unknown formats.
  if (json.format === 'starts_with') delete json.format;
  // A newer node may add fields; only requests are strict.
  const { def } = zodSchema._zod;
  if (def.type === 'object' && (def as z.core.$ZodObjectDef).catchall === undefined) {
    delete json.additionalProperties;
  }
}

function withComponentRefs(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withComponentRefs);
  if (typeof node !== 'object' || node === null) return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) =>
      key === '$ref' && typeof value === 'string'
        ? [key, COMPONENT + refName(value)]
        : [key, withComponentRefs(value)],
    ),
  );
}

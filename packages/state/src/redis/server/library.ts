/**
 * The server-side functions of a store: one Lua file per transition, and what they share. They
 * become one library of Redis functions (Redis 7 and later), which is compiled once: as separate
 * EVAL scripts each call would define again all that it shares, which costs more than most
 * transitions do.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/**
 * The effect that a function may have on a full Redis. `reads`: allowed also when its disk is full.
 * `frees`: allowed also when its memory is full. `grows`: refused in both cases.
 */
export type Effect = 'reads' | 'frees' | 'grows';

const FLAGS = { reads: "'no-writes'", frees: "'allow-oom'", grows: '' } as const;

export interface Functions<Name extends string> {
  /** Begins the name of the library and of its functions. */
  readonly family: string;
  /** Where `NAME.lua` of each function is, and `shared/NAME.lua`. */
  readonly folder: URL;
  /** Become local variables of Lua. */
  readonly constants: Readonly<Record<string, number>>;
  /** In the order of their dependencies. One of them defines `begin(keys, arguments)`. */
  readonly shared: readonly string[];
  readonly effects: Readonly<Record<Name, Effect>>;
}

export interface Library<Name extends string> {
  /** The argument of FUNCTION LOAD. */
  readonly source: string;
  readonly nameOf: (name: Name) => string;
}

/** Names contain the digest of the text, so that nodes of different versions can share a Redis. */
export function loadLibrary<Name extends string>({
  family,
  folder,
  constants,
  shared,
  effects,
}: Functions<Name>): Library<Name> {
  const read = (path: string): string => readFileSync(new URL(path, folder), 'utf8');
  const preamble = [
    ...Object.entries(constants).map(([name, value]) => `local ${name} = ${value}`),
    ...shared.map((name) => read(`shared/${name}.lua`)),
  ].join('\n');
  const bodies = (Object.keys(effects) as Name[]).map(
    (name) => [name, read(`${name}.lua`), FLAGS[effects[name]]] as const,
  );
  const text = [preamble, ...bodies.flat()].join('\n');
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 12);
  const nameOf = (name: Name) => `${family}_${digest}_${name.replaceAll('-', '_')}`;
  const functions = bodies.map(
    ([name, body, flags]) =>
      `redis.register_function{function_name='${nameOf(name)}', flags={${flags}}, callback=function(keys, arguments)\nbegin(keys, arguments)\n${body}\nend}`,
  );
  return { source: [`#!lua name=${family}_${digest}`, preamble, ...functions].join('\n'), nameOf };
}

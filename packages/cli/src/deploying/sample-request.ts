/** Example commands that call a new deployment. */
import type { DeploymentView } from '@skein/api';
import { datatypeOf } from '@skein/api';
import { elementCount, elementSize, type ElementType, type NumericType } from '@skein/onnx';

type Spec = DeploymentView['signature']['inputs'][number];

/** A command with more JSON than this is too long to read. */
const LONGEST_CURL = 400;
/** An input with more JSON than this is read from a file. */
const LONGEST_JSON = 100;

/** How the new deployment was reached, for commands that reach it again. */
export interface Reached {
  readonly server: string | undefined;
  readonly data: string | undefined;
}

/**
 * At most two lines: a `curl` where the inputs are small, and a `skein` command. Both work as
 * printed, apart from `@FILE`, which is for a file of the reader.
 */
export function tryLines(
  view: DeploymentView,
  url: string,
  withKey: boolean,
  { server, data }: Reached,
): string[] {
  const curl = curlLine(view, url, withKey);
  const where = [
    ...(server === undefined ? [] : [`--server ${quoted(server)}`]),
    ...(data === undefined ? [] : [`--folder ${quoted(data)}`]),
  ];
  const skein = inferLine(view, where);
  return [...(curl.length <= LONGEST_CURL ? [curl] : []), ...(skein === undefined ? [] : [skein])];
}

/** Zeros: as JSON where they are few, else as a file of raw values. Undefined: no line can hold it. */
function inferLine(
  { name, signature }: DeploymentView,
  where: readonly string[],
): string | undefined {
  const files: string[] = [];
  const flags: string[] = [];
  for (const spec of signature.inputs) {
    const json = quoted(JSON.stringify(sampleData(spec)));
    // `--input NAME=…` takes no other names.
    if (!/^[\w./:-]+$/.test(spec.name)) return undefined;
    if (spec.type === 'string' && signature.inputs.length === 1) {
      flags.push(`--input ${spec.name}=@FILE`);
    } else if (json.length <= LONGEST_JSON) flags.push(`--input ${spec.name}=${json}`);
    else if (spec.type === 'string') return undefined;
    else {
      const file = `${spec.name.replaceAll(/[^\w.-]/g, '-').replace(/^-/, '_')}.raw`;
      const bytes = elementCount(sampleShape(spec)) * elementSize(spec.type as NumericType);
      files.push(`head -c ${bytes} /dev/zero > ${file} && `);
      flags.push(`--input ${spec.name}=@${file}`);
    }
  }
  return `${files.join('')}${['skein infer', name, ...flags, ...where].join(' ')}`;
}

/** A text inside single quotes of a POSIX shell: one word of it. */
export const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

function curlLine(view: DeploymentView, url: string, withKey: boolean): string {
  const body = JSON.stringify({
    inputs: view.signature.inputs.map((spec) => ({
      name: spec.name,
      shape: sampleShape(spec),
      datatype: datatypeOf(spec.type as ElementType),
      data: sampleData(spec),
    })),
  });
  const auth = withKey ? ' -H "Authorization: Bearer $SKEIN_KEY"' : '';
  return `curl -s ${url}/v2/models/${view.name}/infer${auth} -d ${quoted(body)}`;
}

/** Free dimensions become 1: the smallest request that is one. */
export function sampleShape(spec: Pick<Spec, 'shape'>): number[] {
  return spec.shape.map((size) => (typeof size === 'number' && size > 0 ? size : 1));
}

function sampleData(spec: Spec): unknown[] {
  const count = sampleShape(spec).reduce((product, size) => product * size, 1);
  // Too long for a line anyway; no need to build a megabyte of it.
  if (count > LONGEST_CURL) return ['…'.repeat(LONGEST_CURL)];
  const element = spec.type === 'string' ? 'text' : spec.type === 'bool' ? true : 0;
  return Array.from({ length: count }, () => element);
}

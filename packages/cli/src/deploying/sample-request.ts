/** Example commands that call a new deployment. */
import type { DeploymentView } from '@skein/api';
import { datatypeOf } from '@skein/api';
import type { ElementType } from '@skein/onnx';

type Spec = DeploymentView['signature']['inputs'][number];

/** A command with more JSON than this is too long to read. */
const LONGEST_CURL = 400;

/** At most two lines: a `curl` that works as printed where the inputs are small, and a `skein` command. */
export function tryLines(view: DeploymentView, url: string, withKey: boolean): string[] {
  const { inputs } = view.signature;
  const [first] = inputs;
  const lines = [];
  const curl = curlLine(view, url, withKey);
  if (curl.length <= LONGEST_CURL) lines.push(curl);
  if (first === undefined) lines.push(`skein infer ${view.name}`);
  else if (inputs.length === 1 && first.type === 'string') {
    lines.push(`skein infer ${view.name} --input ${first.name}=@FILE`);
  } else {
    const flags = inputs.map((spec) => `--input ${spec.name}=${spec.name}.npy`);
    lines.push(`skein infer ${view.name} ${flags.join(' ')}`);
  }
  return lines;
}

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
  return `curl -s ${url}/v2/models/${view.name}/infer${auth} -d '${body.replaceAll("'", String.raw`'\''`)}'`;
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

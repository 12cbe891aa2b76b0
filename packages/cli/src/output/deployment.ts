/** Pieces of text about a deployment that several commands show. */
import type { DeploymentView } from '@skein/api';
import { formatDuration, formatShare } from '@skein/api/units';
import type { Style } from './style.ts';

type View = DeploymentView;
type SpecView = View['signature']['inputs'][number];

const STATUS_COLOURS = {
  ready: 'green',
  starting: 'yellow',
  idle: 'dim',
  failed: 'red',
  unloaded: 'dim',
  elsewhere: 'dim',
} as const satisfies Record<View['status'], keyof Style>;

export function statusText(view: Pick<View, 'status'>, style: Style): string {
  return style[STATUS_COLOURS[view.status]](view.status);
}

/** `p99 ≤ 250 ms` */
export function objectiveText({ settings: { objective } }: Pick<View, 'settings'>): string {
  return `p${Number((objective.quantile * 100).toPrecision(6))} ≤ ${formatDuration(objective.latencyMs)}`;
}

/** `v3`, or `v2 95 % v3 5 %` while traffic is split. */
export function versionsText(view: Pick<View, 'targets'>): string {
  const total = view.targets.reduce((sum, target) => sum + target.weight, 0);
  const [only] = view.targets;
  if (view.targets.length === 1 && only !== undefined) return `v${only.version}`;
  return view.targets
    .map(({ version, weight }) => `v${version} ${formatShare(total === 0 ? 0 : weight / total)}`)
    .join('  ');
}

/** `2 of 1–4 ready` */
export function replicasText(view: Pick<View, 'targets' | 'settings'>): string {
  const replicas = view.targets.flatMap((target) => target.replicas);
  const ready = replicas.filter((replica) => replica.state === 'ready').length;
  const bounds = view.settings.replicas;
  const wanted = bounds === undefined ? '' : ` (${boundsText(bounds)})`;
  return `${ready} ready${wanted}`;
}

export function boundsText({ min, max }: { min: number; max: number }): string {
  return min === max ? String(min) : `${min}–${max}`;
}

/** `image string[1], threshold float32[batch, 3]` */
export function signatureText(specs: readonly SpecView[]): string {
  if (specs.length === 0) return 'none';
  return specs.map((spec) => `${spec.name} ${spec.type}${shapeText(spec.shape)}`).join(', ');
}

export function shapeText(shape: readonly (number | string | null)[]): string {
  return `[${shape.map((size) => size ?? '?').join(', ')}]`;
}

/**
 * How to export a model again whose first axis is fixed at 1, so that the node can batch requests;
 * `undefined` where an input has another first axis.
 */
export function batchText({
  kind,
  signature,
}: Pick<View, 'kind' | 'signature'>): string | undefined {
  const rows = signature.inputs.filter(({ shape }) => shape.length > 1);
  if (kind !== 'onnx' || rows.length === 0) return undefined;
  if (signature.inputs.some(({ shape }) => shape[0] !== 1)) return undefined;
  const axes = rows.map(({ name }) => `'${name}': {0: 'batch'}`).join(', ');
  return `1: each run takes one request. To batch them, export with torch.onnx.export(…, dynamic_axes={${axes}})`;
}

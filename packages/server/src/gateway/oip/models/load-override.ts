/**
 * The changes that a load of Triton's repository extension makes to a deployment. Its parameter `config` is
 * the JSON of a model configuration: the fields that have a counterpart here become settings, fields that
 * describe the model must agree with it, hints about how to run it are ignored and reported, and
 * every other field is refused by name. Files cannot be sent with a load.
 */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import type { DeploymentSettings, DeploymentSettingsPatch } from '@skein/api';
import type { Signature } from '@skein/onnx';
import { brief, invalidRequest } from '../../brief.ts';
import { tensorMismatch, type ConfigTensor } from './config-tensors.ts';
import type { Fields } from '../parameters.ts';

export interface LoadOverride {
  /** Absent: the repository chooses. */
  readonly version?: string | undefined;
  readonly settings: DeploymentSettingsPatch;
  /** Fields without an effect here. */
  readonly ignored: readonly string[];
  /** To be called with the signature of the version that is loaded. @throws SkeinError REQUEST_INVALID. */
  readonly check: (signature: Signature) => void;
}

/**
 * @param parameters of the load, as plain values.
 * @param current the settings that the load starts from; absent for a new deployment.
 * @throws SkeinError REQUEST_INVALID.
 */
export function loadOverride(
  model: string,
  parameters: Fields,
  current: DeploymentSettings | undefined,
): LoadOverride {
  const config = new ConfigReader(model);
  const file = Object.keys(parameters).find((name) => name.startsWith('file:'));
  if (file !== undefined) {
    config.fail(`${brief(file)} is not supported; deploy the file through the management API`);
  }
  const text = parameters['config'];
  let version: string | undefined;
  let settings: DeploymentSettingsPatch = {};
  for (const [field, value] of Object.entries(text === undefined ? {} : config.parse(text))) {
    const rule = RULES.get(field);
    if (rule === undefined) {
      config.refuse(field, value);
      continue;
    }
    const change = rule(value, config, current);
    version = change.version ?? version;
    settings = { ...settings, ...change.settings };
  }
  return { version, settings, ignored: config.ignored, check: (model) => config.check(model) };
}

type Change = Partial<Pick<LoadOverride, 'version' | 'settings'>>;

type Rule = (
  value: unknown,
  config: ConfigReader,
  current: DeploymentSettings | undefined,
) => Change;

/** By the field of the configuration. */
const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['name', (value, config) => config.equal('name', value, config.model)],
  ['platform', (value, config) => config.equal('platform', value, 'onnxruntime_onnx')],
  ['backend', (value, config) => config.equal('backend', value, 'onnxruntime')],
  [
    'max_batch_size',
    // 0 means a model without batches, which here is one row per run.
    (value, config) => ({
      settings: { batching: { maxRows: Math.max(1, config.count('max_batch_size', value)) } },
    }),
  ],
  ['input', (value, config) => tensors('inputs', value, config)],
  ['output', (value, config) => tensors('outputs', value, config)],
  // The version is one file, whatever its name was, and each replica is warmed before it serves.
  ...['default_model_filename', 'optimization', 'model_warmup'].map((field): [string, Rule] => [
    field,
    (value, config) => config.ignore(field, value),
  ]),
  ['instance_group', instances],
  ['dynamic_batching', dynamicBatching],
  [
    'response_cache',
    (value, config) => ({
      settings: { cache: config.fields('response_cache', value)['enable'] === true ? {} : null },
    }),
  ],
  ['version_policy', versionPolicy],
  // A message without fields asks for its scheduler, with the defaults.
  ...['sequence_batching', 'ensemble_scheduling'].map((field): [string, Rule] => [
    field,
    (value, config) => (value === null ? {} : config.refused(field)),
  ]),
  [
    'parameters',
    (value, config) => {
      const { intra_op_thread_count: threads, ...others } = config.fields('parameters', value);
      config.refuseAll('parameters', others);
      if (threads === undefined) return {};
      const { string_value: text } = config.fields('intra_op_thread_count', threads);
      return { settings: { threads: config.count('intra_op_thread_count', text) } };
    },
  ],
]);

/** Triton's instances are a fixed number; here they bound the replicas. */
function instances(
  value: unknown,
  config: ConfigReader,
  current: DeploymentSettings | undefined,
): Change {
  let max = 0;
  let device: DeploymentSettings['device'] | undefined;
  for (const group of config.list('instance_group', value)) {
    const { count = 1, kind, name: _, ...others } = config.fields('instance_group', group);
    config.refuseAll('instance_group', others);
    if (kind === 'KIND_GPU') device = 'cuda';
    else if (kind === 'KIND_CPU') device ??= 'cpu';
    else if (kind !== 'KIND_AUTO') config.refuse('instance_group.kind', kind);
    max += config.count('instance_group.count', count);
  }
  return {
    settings: {
      ...(max === 0 ? {} : { replicas: { min: Math.min(current?.replicas?.min ?? 1, max), max } }),
      ...(device === undefined || device === (current?.device ?? 'cpu') ? {} : { device }),
    },
  };
}

/** The configuration's description of inputs or outputs. */
function tensors(role: 'inputs' | 'outputs', value: unknown, config: ConfigReader): Change {
  const field = role === 'inputs' ? 'input' : 'output';
  for (const item of config.list(field, value)) {
    const { name, data_type: type, dims, format: _, ...others } = config.fields(field, item);
    config.refuseAll(field, others);
    config.tensors.push({
      role,
      name,
      type,
      dims: dims === undefined ? undefined : config.list(`${field}.dims`, dims).map(Number),
    });
  }
  return {};
}

function dynamicBatching(value: unknown, config: ConfigReader): Change {
  const {
    default_queue_policy: policy = {},
    preferred_batch_size: preferred,
    max_queue_delay_microseconds: delay,
    ...others
  } = config.fields('dynamic_batching', value);
  // Measured costs and deadlines decide how large a batch is and how long it waits.
  config.ignore('dynamic_batching.preferred_batch_size', preferred);
  config.ignore('dynamic_batching.max_queue_delay_microseconds', delay);
  config.refuseAll('dynamic_batching', others);
  const {
    max_queue_size: size,
    default_timeout_microseconds: timeout,
    allow_timeout_override: _,
    timeout_action: action,
    ...rest
  } = config.fields('default_queue_policy', policy);
  config.refuseAll('default_queue_policy', rest);
  if (action !== 'REJECT') config.refuse('default_queue_policy.timeout_action', action);
  const maxQueue = size === undefined ? 0 : config.count('max_queue_size', size);
  const micros = timeout === undefined ? 0 : config.count('default_timeout_microseconds', timeout);
  return {
    settings: {
      ...(maxQueue === 0 ? {} : { maxQueue }),
      ...(micros === 0 ? {} : { objective: { latencyMs: micros / 1000 } }),
    },
  };
}

/** A load serves one version; a rollout serves two. */
function versionPolicy(value: unknown, config: ConfigReader): Change {
  const { specific, latest, ...others } = config.fields('version_policy', value);
  for (const key of Object.keys(others)) {
    config.fail(`version_policy.${key} would serve several versions, but a load serves one`);
  }
  const named = specific === undefined ? {} : config.fields('specific', specific);
  const versions = config.list('specific.versions', named['versions'] ?? []);
  const newest = latest === undefined ? {} : config.fields('latest', latest);
  const count = config.count('latest.num_versions', newest['num_versions'] ?? 1);
  if (versions.length > 1 || count !== 1) {
    config.fail('version_policy names several versions, but a load serves one');
  }
  const [only] = versions;
  return only === undefined ? {} : { version: String(config.count('specific.versions', only)) };
}

/** Reads fields; each refusal begins as Triton's do, because its clients look for the words. */
class ConfigReader {
  readonly model: string;
  readonly ignored: string[] = [];
  readonly tensors: ConfigTensor[] = [];

  constructor(model: string) {
    this.model = model;
  }

  check(signature: Signature): void {
    for (const tensor of this.tensors) {
      const mismatch = tensorMismatch(tensor, signature);
      if (mismatch !== undefined) this.fail(mismatch);
    }
  }

  fail(what: string): never {
    throw invalidRequest(`failed to load '${this.model}': ${what}.`);
  }

  parse(text: unknown): Fields {
    let value: unknown;
    try {
      value = readJson(String(text), JSON_BOUNDS.request);
    } catch {
      this.fail(`the parameter config is not JSON: ${brief(text)}`);
    }
    return this.fields('config', value);
  }

  fields(field: string, value: unknown): Fields {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Fields;
    }
    return this.fail(`${field} must be an object, but it is ${brief(value)}`);
  }

  list(field: string, value: unknown): readonly unknown[] {
    if (Array.isArray(value)) return value;
    return this.fail(`${field} must be a list, but it is ${brief(value)}`);
  }

  /** Protocol Buffers' JSON writes large numbers as text, so each number may be text. */
  count(field: string, value: unknown): number {
    const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
    if (Number.isSafeInteger(number) && (number as number) >= 0) return number as number;
    return this.fail(`${field} must be a whole number from 0 on, but it is ${brief(value)}`);
  }

  equal(field: string, value: unknown, expected: string): Change {
    if (value === expected || value === '') return {};
    return this.fail(`${field} must be ${brief(expected)}, but it is ${brief(value)}`);
  }

  /** Accepts a value that asks for nothing. */
  refuse(field: string, value: unknown): void {
    if (!isEmpty(value)) this.refused(field);
  }

  refused(field: string): never {
    return this.fail(`the field ${field} of its config cannot be set by a load`);
  }

  refuseAll(field: string, values: Fields): void {
    for (const [key, value] of Object.entries(values)) this.refuse(`${field}.${key}`, value);
  }

  ignore(field: string, value: unknown): Change {
    if (!isEmpty(value)) this.ignored.push(field);
    return {};
  }
}

/**
 * Whether a value asks for nothing: a field that is not set, as Protocol Buffers' JSON writes it, or
 * a message of such fields. A message in a message has been set on purpose.
 */
function isEmpty(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return isUnset(value);
  return Object.values(value).every(isUnset);
}

function isUnset(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return [undefined, null, false, '', 0, '0'].includes(value as null);
}

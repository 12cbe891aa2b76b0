/**
 * What a load of Triton's repository extension changes of a deployment. Its parameter `config` is
 * the JSON of a model configuration: the fields that have a counterpart here become settings, and
 * every other field is refused by name. Files cannot be sent with a load.
 */
import { SkeinError, type DeploymentSettings, type DeploymentSettingsPatch } from '@skein/api';
import { brief } from '../brief.ts';
import type { Fields } from './parameters.ts';

export interface LoadOverride {
  /** Absent: the repository chooses. */
  readonly version?: string | undefined;
  readonly settings: DeploymentSettingsPatch;
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
  let override: LoadOverride = { settings: {} };
  for (const [field, value] of Object.entries(text === undefined ? {} : config.parse(text))) {
    const rule = RULES.get(field);
    if (rule === undefined) {
      config.refuse(field, value);
      continue;
    }
    const { version = override.version, settings } = rule(value, config, current);
    override = { version, settings: { ...override.settings, ...settings } };
  }
  return override;
}

type Rule = (
  value: unknown,
  config: ConfigReader,
  current: DeploymentSettings | undefined,
) => Partial<LoadOverride>;

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
  ['instance_group', instances],
  ['dynamic_batching', dynamicBatching],
  [
    'response_cache',
    (value, config) => ({
      settings: { cache: config.fields('response_cache', value)['enable'] === true ? {} : null },
    }),
  ],
  ['version_policy', versionPolicy],
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
): Partial<LoadOverride> {
  let max = 0;
  for (const group of config.list('instance_group', value)) {
    const { count = 1, kind, name: _, ...others } = config.fields('instance_group', group);
    config.refuseAll('instance_group', others);
    if (kind !== 'KIND_CPU' && kind !== 'KIND_AUTO') config.refuse('instance_group.kind', kind);
    max += config.count('instance_group.count', count);
  }
  if (max === 0) return {};
  return { settings: { replicas: { min: Math.min(current?.replicas?.min ?? 1, max), max } } };
}

function dynamicBatching(value: unknown, config: ConfigReader): Partial<LoadOverride> {
  const { default_queue_policy: policy = {}, ...others } = config.fields('dynamic_batching', value);
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
function versionPolicy(value: unknown, config: ConfigReader): Partial<LoadOverride> {
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

  constructor(model: string) {
    this.model = model;
  }

  fail(what: string): never {
    throw new SkeinError('REQUEST_INVALID', `failed to load '${this.model}': ${what}.`);
  }

  parse(text: unknown): Fields {
    let value: unknown;
    try {
      value = JSON.parse(String(text));
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

  equal(field: string, value: unknown, expected: string): Partial<LoadOverride> {
    if (value === expected || value === '') return {};
    return this.fail(`${field} must be ${brief(expected)}, but it is ${brief(value)}`);
  }

  /** Accepts a value that asks for nothing. */
  refuse(field: string, value: unknown): void {
    if (value === undefined || value === null || value === false || value === '') return;
    if (value === 0 || value === '0') return;
    if (typeof value === 'object' && Object.keys(value).length === 0) return;
    this.fail(`the field ${field} of its config cannot be set by a load`);
  }

  refuseAll(field: string, values: Fields): void {
    for (const [key, value] of Object.entries(values)) this.refuse(`${field}.${key}`, value);
  }
}

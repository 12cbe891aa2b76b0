/** The model that the tests ask, a request to it, and what became of that. */
import { DeploymentSettings, SkeinError } from '@skein/api';
import { tensor, values, type NumericTensor, type TensorMap } from '@skein/onnx';
import type { DeployedModel, InferenceAnswer, InferenceRequest } from '@skein/serving';

export const riskModel = (more: Partial<DeployedModel>): DeployedModel =>
  ({
    name: 'risk',
    kind: 'onnx',
    objectiveMs: 20_000,
    settings: DeploymentSettings.parse({}),
    ...more,
  }) as DeployedModel;

export const inputs = (): TensorMap =>
  new Map([['x', tensor('float32', [1, 2], Float32Array.of(1, 2))]]);
export function request(more: Partial<InferenceRequest> = {}): InferenceRequest {
  return {
    id: 'r1',
    deployment: 'risk',
    inputs: inputs(),
    arrivedAt: performance.now(),
    priority: 0,
    tenant: 'team',
    protocol: 'http',
    ...more,
  };
}
export const numbers = ({ outputs }: InferenceAnswer): number[] => [
  ...(values(outputs.get('y') as NumericTensor) as Float32Array),
];
export const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'answered',
    (error: unknown) => (error instanceof SkeinError ? error.code : String(error)),
  );

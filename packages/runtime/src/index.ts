export {
  RuntimeFailure,
  type ModelSource,
  type RunResult,
  type Runtime,
  type Session,
  type SessionOptions,
} from './contract.ts';
export { nativeRuntime } from './native/native-runtime.ts';

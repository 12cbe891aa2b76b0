export {
  RuntimeFailure,
  type ModelSource,
  type RunResult,
  type Runtime,
  type Session,
  type SessionOptions,
} from './contract.ts';

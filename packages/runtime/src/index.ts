export {
  RuntimeFailure,
  type ModelSource,
  type RunResult,
  type Runtime,
  type Session,
  type SessionOptions,
} from './contract.ts';
export { describeDevices, type DeviceReport } from './native/devices.ts';
export { nativeRuntime } from './native/native-runtime.ts';

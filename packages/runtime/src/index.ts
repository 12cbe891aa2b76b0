export {
  RuntimeFailure,
  type InlineSession,
  type ModelSource,
  type PreparedRun,
  type RunResult,
  type RunTimes,
  type Runtime,
  type Session,
  type SessionOptions,
} from './contract.ts';
export {
  type Accelerator,
  acceleratorOf,
  describeDevices,
  type Device,
  type DeviceReport,
} from './native/devices.ts';
export { withCulprit } from './culprit.ts';
export { nativeRuntime } from './native/native-runtime.ts';

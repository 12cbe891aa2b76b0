/** The record of a member in the tests. */
import { type MemberInfo, SCHEMA } from '@skein/state';

export const memberInfo = (name: string, loaded: MemberInfo['loaded'] = []): MemberInfo => ({
  name,
  address: `http://${name}:4700`,
  version: '1.0.0',
  schema: SCHEMA,
  memoryBytes: 1e9,
  cores: 2,
  accelerators: [],
  loaded,
});

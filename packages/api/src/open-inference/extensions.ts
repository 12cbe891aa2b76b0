/** The paths of Triton's extensions for shared memory, for the OpenAPI document. */
import type { ErrorCode } from '../errors.ts';
import type { JsonSchema } from '../documents/json-schema.ts';

export interface ProtocolPath {
  readonly method: 'get' | 'post';
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  /** Scopes of keys that may call it; `none`: no key is needed. */
  readonly scope: 'none' | 'infer or read' | 'infer' | 'read' | 'admin';
  /** Name of a schema in OPEN_INFERENCE_SCHEMAS. */
  readonly body?: string;
  /** Name of a schema; absent: an empty answer. */
  readonly response?: string;
  /** Codes beyond the codes of every endpoint and of each body. */
  readonly errors?: readonly ErrorCode[];
}

const REGION = '/v2/systemsharedmemory/region/{region}';

export const EXTENSION_PATHS: readonly ProtocolPath[] = [
  {
    method: 'get',
    path: '/v2/systemsharedmemory/status',
    operationId: 'sharedMemoryStatus',
    scope: 'read',
    summary: 'The regions of system shared memory that the caller’s tenant has registered.',
    response: 'SharedMemoryRegions',
  },
  {
    method: 'get',
    path: `${REGION}/status`,
    operationId: 'sharedMemoryRegionStatus',
    scope: 'read',
    summary: 'One region of system shared memory.',
    response: 'SharedMemoryRegions',
    errors: ['REGION_UNKNOWN'],
  },
  {
    method: 'post',
    path: `${REGION}/register`,
    operationId: 'sharedMemoryRegister',
    scope: 'admin',
    summary: 'Name an object of system shared memory for the requests of this tenant.',
    description:
      'Only on a node that listens on loopback. Tensors then name the region in `shared_memory_region`, `shared_memory_byte_size` and `shared_memory_offset`. CUDA shared memory is refused.',
    body: 'SharedMemoryObject',
    errors: ['REQUEST_INVALID', 'SHARED_MEMORY_UNAVAILABLE'],
  },
  {
    method: 'post',
    path: `${REGION}/unregister`,
    operationId: 'sharedMemoryUnregister',
    scope: 'admin',
    summary: 'Remove the registration of a region; the object stays.',
  },
  {
    method: 'post',
    path: '/v2/systemsharedmemory/unregister',
    operationId: 'sharedMemoryUnregisterAll',
    scope: 'admin',
    summary: 'Remove the registration of every region of this tenant.',
  },
];

const text: JsonSchema = { type: 'string' };
const bytes: JsonSchema = { type: 'integer', minimum: 0 };

export const EXTENSION_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  SharedMemoryObject: {
    type: 'object',
    properties: {
      key: { ...text, description: 'As `shm_open` takes it, such as `/input`.' },
      offset: { ...bytes, default: 0 },
      byte_size: bytes,
    },
    required: ['key', 'byte_size'],
  },
  SharedMemoryRegions: {
    type: 'array',
    items: {
      type: 'object',
      properties: { name: text, key: text, offset: bytes, byte_size: bytes },
      required: ['name', 'key', 'offset', 'byte_size'],
    },
  },
};

/** Errors of the request itself. */
import { type ErrorRow, GRPC, INVALID, PRECONDITION, UNKNOWN } from './row.ts';

export const REQUEST_ERRORS = {
  BODY_NOT_JSON: {
    ...INVALID,
    meaning: 'The body, or the JSON part of a binary body, is not valid JSON.',
    fix: 'Send valid JSON; the message gives the position of the first error.',
  },
  REQUEST_INVALID: {
    ...INVALID,
    meaning: 'A field of the request is missing, unknown or of the wrong type.',
    fix: 'Correct the field that the message names; /docs lists every field.',
  },
  BODY_TOO_LARGE: {
    http: 413,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'user',
    meaning: 'The body is larger than the node accepts.',
    fix: 'Send a smaller body. The bound of bodies with tensors is --max-body of the node; the other bounds are fixed.',
  },
  BODIES_TOO_LARGE: {
    http: 503,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'load',
    meaning:
      'The bodies and answers of all requests in flight take all memory that the node reserves for them.',
    fix: 'Retry after Retry-After, or start the node with larger --max-bodies-in-flight.',
    retryMs: 1000,
  },
  BODY_TOO_SLOW: {
    http: 408,
    grpc: GRPC.DEADLINE_EXCEEDED,
    kind: 'user',
    meaning: 'The body did not arrive within the time allowed, or a file came too slowly.',
    fix: 'Send the request again over a faster connection, or start the node with a longer --body-timeout.',
  },
  HEADERS_TOO_LARGE: {
    http: 431,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'user',
    meaning: 'The headers of the request are larger than the node accepts.',
    fix: 'Send fewer or shorter headers; tensors belong in the body.',
  },
  ENCODING_UNSUPPORTED: {
    http: 415,
    grpc: GRPC.UNIMPLEMENTED,
    kind: 'user',
    meaning: 'The body is compressed in a way that the node does not read.',
    fix: 'Send the body uncompressed, or compressed with gzip or deflate.',
  },
  HEADER_LENGTH_INVALID: {
    ...INVALID,
    meaning: 'Inference-Header-Content-Length is not a number, or is larger than the body.',
    fix: 'Set it to the exact length in bytes of the JSON part.',
  },
  INPUT_UNKNOWN: {
    ...INVALID,
    meaning: 'The request names an input that the model does not have.',
    fix: 'Use the names that the model metadata lists.',
  },
  INPUT_MISSING: {
    ...INVALID,
    meaning: 'An input of the model was not sent.',
    fix: 'Send every input that the model metadata lists.',
  },
  INPUT_SHAPE: {
    ...INVALID,
    meaning: 'The shape of an input does not fit the model.',
    fix: 'Send the shape that the model metadata lists; -1 there means any size.',
  },
  INPUT_DATATYPE: {
    ...INVALID,
    meaning: 'The datatype of an input does not fit the model.',
    fix: 'Send the datatype that the model metadata lists.',
  },
  INPUT_DATA: {
    ...INVALID,
    meaning: 'The data of an input do not fill its shape, or a value does not fit its datatype.',
    fix: 'Send exactly as many values, or bytes, as the shape and datatype take.',
  },
  INPUT_NOT_FINITE: {
    ...INVALID,
    meaning: 'An input holds NaN or infinity, and the deployment allows only finite values.',
    fix: 'Send finite values, or deploy with --allow-non-finite.',
  },
  OUTPUT_UNKNOWN: {
    ...INVALID,
    meaning: 'The request names an output that the model does not have.',
    fix: 'Use the names that the model metadata lists.',
  },
  INPUT_REJECTED: {
    ...INVALID,
    meaning: 'The model itself, or the composition, refused the input.',
    fix: 'The message gives the reason; compare the input with the model metadata.',
  },
  IMAGE_INVALID: {
    ...INVALID,
    meaning: 'The bytes are not an image that can be decoded, or the image is too large.',
    fix: 'Send a PNG, JPEG or WebP image of at most 50 megapixels.',
  },
  ROUTE_UNKNOWN: {
    http: 404,
    grpc: GRPC.UNIMPLEMENTED,
    kind: 'user',
    meaning: 'There is no such path or method.',
    fix: 'See /docs for the paths and their methods.',
  },
  SHARED_MEMORY_UNAVAILABLE: {
    ...PRECONDITION,
    meaning:
      'The node offers no CUDA shared memory, and system shared memory only while it listens on loopback.',
    fix: 'Send the tensors in the request, as binary for speed, or call a node on the same machine.',
  },
  REGION_UNKNOWN: {
    ...UNKNOWN,
    meaning: 'The tenant of the caller has no shared memory region of that name.',
    fix: 'Register the region with a key of the same tenant and the scope admin.',
  },
  METHOD_NOT_ALLOWED: {
    http: 405,
    grpc: GRPC.UNIMPLEMENTED,
    kind: 'user',
    meaning: 'The path exists, but not with this method.',
    fix: 'Use one of the methods in the Allow header.',
  },
  MODEL_UNKNOWN: {
    ...UNKNOWN,
    meaning: 'No deployment, or no language model, has this name.',
    fix: '`skein ls` lists the deployments, `skein model ls` the language models.',
  },
  VERSION_UNKNOWN: {
    ...UNKNOWN,
    meaning: 'The model has no such version.',
    fix: '`skein versions ls NAME` lists the versions.',
  },
  KEY_UNKNOWN: {
    ...UNKNOWN,
    meaning: 'There is no API key with this id.',
    fix: '`skein keys ls` lists the keys.',
  },
  KEYS_TOO_MANY: {
    http: 409,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'user',
    meaning: 'The node has reached its limit of API keys; those that ended count for 30 days.',
    fix: 'Use one key for many calls. Revoke unused keys with `skein keys revoke ID`: 30 days later they no longer count.',
  },
  REVOCATION_NOT_DURABLE: {
    http: 507,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'load',
    meaning:
      'The key is revoked and refused from now on, but the revocation is not on disk yet: a restart before it is written would restore the key.',
    fix: 'Free space in the data folder, or, in a fleet, make its Redis reachable again. The node retries automatically; `skein keys show ID` shows whether it is durable, and revoking again retries at once.',
    retryMs: 1000,
  },
} as const satisfies Record<string, ErrorRow>;

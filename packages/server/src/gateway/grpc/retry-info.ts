/**
 * When a client may retry, as `google.rpc.RetryInfo` inside a `google.rpc.Status`: the binary trailer
 * `grpc-status-details-bin`, which gRPC's libraries and proxies read.
 *
 * https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

const BYTES = WireType.LengthDelimited;
const TYPE = 'type.googleapis.com/google.rpc.RetryInfo';

/** @param retryMs whole milliseconds from now. */
export function retryStatus(code: number, message: string, retryMs: number): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Varint).int32(code).tag(2, BYTES).string(message);
  // Any: the name of the type, and the message.
  const any = writer.tag(3, BYTES).fork();
  any.tag(1, BYTES).string(TYPE);
  // RetryInfo has one field, a Duration of seconds and nanoseconds.
  const delay = any.tag(2, BYTES).fork().tag(1, BYTES).fork();
  delay.tag(1, WireType.Varint).int64(Math.floor(retryMs / 1000));
  delay.tag(2, WireType.Varint).int32((retryMs % 1000) * 1e6);
  delay.join().join().join();
  return writer.finish();
}

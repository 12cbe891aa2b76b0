/** HTTP/2 between two nodes: windows that a body of tensors fits into, and streams for a full queue. */
import type { Settings } from 'node:http2';

const MiB = 2 ** 20;

/** Window of one stream, in bytes; the protocol's 64 KiB would cost a round trip for every 64 KiB. */
export const LINK_SETTINGS: Settings = { initialWindowSize: 8 * MiB, maxConcurrentStreams: 4096 };
/** Window of all streams of a connection together, in bytes. */
export const SESSION_WINDOW = 64 * MiB;
/**
 * Streams that a caller may cancel at once, and in a second, before its connection ends. A member
 * cancels late probes, hedges and requests whose caller has left: under overload more than the 33 a
 * second that HTTP/2 servers grant to strangers. A cancelled stream costs some 10 µs.
 */
export const RESETS = { streamResetBurst: 4000, streamResetRate: 4000 };

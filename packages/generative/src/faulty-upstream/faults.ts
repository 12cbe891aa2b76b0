/**
 * The faults of an upstream, and how a request must end at each. The document of the gateway and the
 * benchmark read this table; the test holds the gateway to it.
 */
import type { ErrorCode } from '@skein/api';

/** How a request ends where no other provider is left: an answer, or a coded error. */
type End = 'answered' | ErrorCode;

export interface Fault {
  /** For the table of the document. */
  readonly what: string;
  readonly streaming: End;
  readonly whole: End;
  /** Whether a second provider's answer takes its place: for a stream only before the first content. */
  readonly fallsBack: { readonly streaming: boolean; readonly whole: boolean };
}

const ALWAYS = { streaming: true, whole: true } as const;
/** The caller of a stream has a part of the answer already. */
const BEFORE_CONTENT = { streaming: false, whole: true } as const;

const both = (what: string, end: End, fallsBack: Fault['fallsBack'] = ALWAYS): Fault => ({
  what,
  streaming: end,
  whole: end,
  fallsBack,
});

export const FAULTS = {
  'slow-first-byte': both('It sends nothing for 21 s.', 'PROVIDER_TIMEOUT'),
  'slow-first-token': both(
    'It sends its head and signs of life at once, and the first token after 21 s.',
    'PROVIDER_TIMEOUT',
  ),
  stall: both('It sends some tokens and then nothing more.', 'PROVIDER_TIMEOUT', BEFORE_CONTENT),
  'cut-after-content': both(
    'It breaks the connection after some tokens.',
    'PROVIDER_CUT',
    BEFORE_CONTENT,
  ),
  'truncated-200': both(
    'It ends its answer properly, but before the finish.',
    'PROVIDER_CUT',
    BEFORE_CONTENT,
  ),
  'error-in-stream': both(
    'It sends an error as an event, after a status of 200.',
    'PROVIDER_FAILED',
    BEFORE_CONTENT,
  ),
  'quota-minute': both('It answers 429 for a rate.', 'PROVIDER_BUSY'),
  'status-500': both('It answers 500.', 'PROVIDER_FAILED'),
  'malformed-json': both('It sends an event that is not JSON.', 'PROVIDER_FAILED'),
  'wrong-type': both('It answers 200 with a page of HTML.', 'PROVIDER_FAILED'),
  'half-open': both('It accepts the request and never answers.', 'PROVIDER_TIMEOUT'),
  'huge-chunk': both('It sends one event without an end.', 'PROVIDER_FAILED'),
  'tool-name-repeated': both('It repeats the name and the id of a call in each delta.', 'answered'),
  'gzip-bomb': both('It sends a little gzip that is a lot of text.', 'PROVIDER_FAILED'),
  tls: both('Its certificate is self-signed.', 'PROVIDER_UNREACHABLE'),
  dns: both('Its name does not resolve.', 'PROVIDER_UNREACHABLE'),
} as const satisfies Readonly<Record<string, Fault>>;

export type FaultName = keyof typeof FAULTS;

/** Errors of model files that `skein deploy` fetches from an address. */
import { FORBIDDEN, UNKNOWN, UNMET, UPSTREAM, type ErrorRow } from './row.ts';

export const SOURCE_ERRORS = {
  SOURCE_UNREACHABLE: {
    ...UPSTREAM,
    meaning: 'The server of a model file does not answer, or breaks the download off.',
    fix: 'Check the address and the network of this machine; then run the same command again: it continues the download.',
    retryMs: 1000,
  },
  SOURCE_DENIED: {
    ...FORBIDDEN,
    meaning: 'The server of a model file refuses the credentials, or wants some.',
    fix: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for s3://, GOOGLE_APPLICATION_CREDENTIALS for gs://, HF_TOKEN for hf://. For https:// name the variable that holds the token with --token-env.',
  },
  SOURCE_UNKNOWN: {
    ...UNKNOWN,
    meaning: 'The address of a model file leads to no file, or to several ONNX files.',
    fix: 'Check the address. Name the file of a repository as in hf://owner/model:onnx/model.onnx.',
  },
  SOURCE_PRIVATE: {
    ...FORBIDDEN,
    meaning: 'The address of a model file leads to a machine that is not on the public internet.',
    fix: 'Give --allow-private if the file is to come from this machine or its network.',
  },
  SOURCE_CHANGED: {
    ...UNMET,
    meaning: 'A model file does not have the digest that was given, stated or sent.',
    fix: 'Find out why the file changed; deploy it without --digest, or with the new one, only if you trust it.',
  },
} as const satisfies Readonly<Record<string, ErrorRow>>;

/** Errors of files that are fetched from an address: models of `skein deploy`, tables of `skein map`. */
import { FORBIDDEN, UNKNOWN, UNMET, UPSTREAM, type ErrorRow } from './row.ts';

export const SOURCE_ERRORS = {
  SOURCE_UNREACHABLE: {
    ...UPSTREAM,
    meaning: 'The server of a model or a table does not answer, or breaks the download off.',
    fix: 'Check the address and the network of this machine; then run the same command again: a model continues its download.',
    retryMs: 1000,
  },
  SOURCE_DENIED: {
    ...FORBIDDEN,
    meaning: 'The server of a model or a table refuses the credentials, or wants some.',
    fix: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for s3://, GOOGLE_APPLICATION_CREDENTIALS for gs://, HF_TOKEN for hf://; for a table, in the environment of the workers. For https:// name the variable that holds the token with --token-env.',
  },
  SOURCE_UNKNOWN: {
    ...UNKNOWN,
    meaning:
      'The address of a model or a table leads to no file, to several ONNX files, or to a server that states too little.',
    fix: 'Check the address. Name the file of a repository as in hf://owner/model:onnx/model.onnx.',
  },
  SOURCE_PRIVATE: {
    ...FORBIDDEN,
    meaning:
      'The address of a model or a table leads to a machine that is not on the public internet.',
    fix: 'Give --allow-private if the file is to come from this machine or its network.',
  },
  SOURCE_CHANGED: {
    ...UNMET,
    meaning:
      'A model does not have the digest that was given, stated or sent; or a table has changed while a map read it.',
    fix: 'Find out why the file changed; deploy it without --digest, or with the new one, only if you trust it. Run the map again.',
  },
} as const satisfies Readonly<Record<string, ErrorRow>>;

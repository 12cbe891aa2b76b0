/**
 * Bounds on the contents of a request to a language model, beyond the bounds on its body. They are the
 * ones of OpenAI's API where it has one; a provider may take less. The faces hold to them, and name
 * the field in the words of their protocol; the gateway holds programs to them that call it.
 */
export const MAX_MESSAGES = 4096;
export const MAX_PARTS = 1024;
export const MAX_TOOLS = 128;
export const MAX_TOOL_CALLS = 128;
export const MAX_STOPS = 16;
/** Characters of a stop string: each is searched at every token. */
export const MAX_STOP_LENGTH = 256;
/** Characters of the name of a model, a tool or a schema: messages and metrics repeat it. */
export const MAX_NAME = 256;
export const MAX_CHOICES = 8;
export const MAX_TOKENS = 10_000_000;
export const MAX_TOP_LOGPROBS = 20;
/** Texts of one call for embeddings, as OpenAI bounds them. */
export const MAX_INPUTS = 2048;
/** Characters of a JSON Schema: a grammar is built of it. */
export const MAX_SCHEMA = 64 * 1024;
/** Levels of a JSON Schema. */
export const MAX_SCHEMA_DEPTH = 64;

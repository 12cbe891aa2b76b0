/**
 * The names of implementations that a request may ask for, and what a caller must know of each
 * before it is loaded. Schemas, command-line choices, help, checks and documents read them here.
 *
 * A name has its implementation in one registry, and the types hold each registry against this
 * table: `packages/sandbox/src/drivers.ts` and `packages/runtime/src/native/devices.ts`. The table
 * is here and not there because this package runs in a browser, where neither can.
 */
export interface SandboxTraits {
  /**
   * Whether a command has a file system of its own, with files of the host mounted into it. Without
   * isolation, it sees the host as it is, and only trusted work may run.
   */
  readonly isolates: boolean;
  /** Whether it can keep a command from changing the workspace. */
  readonly freezes: boolean;
  /** Whether commands run on other machines. */
  readonly remote: boolean;
}

/** In the order of preference: the fastest to start first, those without isolation last. */
export const SANDBOXES = {
  bubblewrap: { isolates: true, freezes: true, remote: false },
  docker: { isolates: true, freezes: true, remote: false },
  kubernetes: { isolates: true, freezes: false, remote: true },
  process: { isolates: false, freezes: false, remote: false },
} as const satisfies Readonly<Record<string, SandboxTraits>>;

export type SandboxName = keyof typeof SANDBOXES;
export const SANDBOX_NAMES = Object.keys(SANDBOXES) as readonly SandboxName[];

/** The limits of a sandbox in words. */
export const LIMIT_NAMES: Readonly<Record<string, string>> = {
  cpuMs: 'CPU time',
  wallMs: 'wall time',
  memoryBytes: 'memory',
  pids: 'processes',
  outputBytes: 'output',
  fileBytes: 'file size',
  diskBytes: 'disk',
  cores: 'cores',
};

/** Where replicas can run; the first is the default. */
export const DEVICES = ['cpu', 'cuda'] as const;

/**
 * The kinds of providers of language models: an upstream of OpenAI's style, Google Gemini with an API key or on
 * Vertex AI, another node, or a file of this machine.
 */
export const PROVIDER_NAMES = ['openai', 'gemini', 'vertex', 'skein', 'onnx', 'gguf'] as const;

/** Patterns of a node for what is redacted in prompts and answers. */
export const REDACTION_KINDS = ['email', 'card', 'iban', 'ipv4', 'key'] as const;
export type RedactionKind = (typeof REDACTION_KINDS)[number];

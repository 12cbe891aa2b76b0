/** Log of the serving plane for details that only an operator may see: stacks and messages of foreign code. */
export type ServingLog = (
  message: string,
  details: { readonly deployment: string; readonly error?: unknown } & Readonly<
    Record<string, unknown>
  >,
) => void;

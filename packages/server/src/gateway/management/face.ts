/** The management API and the pages of the node: every path that no other face answers. */
import type { Routes } from '@skein/http';
import type { Face } from '../face.ts';

export interface ManagementOfFace {
  readonly management: Pick<Routes, 'serve'>;
}

export function managementFace({ management }: ManagementOfFace): Face {
  return { http: () => ({ owns: () => true, serve: (exchange) => management.serve(exchange) }) };
}

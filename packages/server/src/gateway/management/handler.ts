/** The types of the handlers; they follow from the endpoint table. */
import type { ENDPOINTS } from '@skein/api';
import type { Handlers } from '@skein/http';
import type { Caller, Scope } from '../../access/contract.ts';

export type NodeCallers = Readonly<Record<Scope, Caller>>;

export type NodeHandlers = Handlers<typeof ENDPOINTS, NodeCallers>;

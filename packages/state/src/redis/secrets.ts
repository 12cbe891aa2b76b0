import type { Secrets } from '../secrets/secrets.ts';
import type { Calls } from './calls.ts';

export const secretCalls = ({ durable }: Calls): Secrets => ({
  secret: async (name, candidate) => (await durable('secret', name, candidate)) as string,
});

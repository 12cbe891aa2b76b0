/** Parameters that several endpoints share. */
import { z } from 'zod';

export const VersionNumber = z
  .string()
  .regex(/^[1-9]\d{0,8}$/, 'must be a version number such as "1"')
  .describe('A version number, such as "1".');

export const Limit = z.coerce
  .number<number>()
  .int()
  .min(1)
  .max(1000)
  .describe('Entries to return.')
  .default(100);

export const Before = z.coerce
  .number<number>()
  .int()
  .min(1)
  .max(Number.MAX_SAFE_INTEGER)
  .optional()
  .describe('Return entries with a smaller `id`, such as the last one of the page before.');
